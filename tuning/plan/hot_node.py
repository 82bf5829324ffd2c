"""The node of the hot cores: of the trading port that is named, else of the port that looks most like one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tuning.errors import PlanError
from tuning.plan.ports import NamedPorts, best_of, candidates, weight
from tuning.plan.refusal import Code
from tuning.topology.topology import FASTEST, UNKNOWN_NODE, Core, Nic, Topology

FAST_ENOUGH = FASTEST * 9 // 10
SHOWN_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HotNode:
    """Where hot cores go and why; `guessed` says by which ports, empty where nothing had to be guessed."""

    number: int
    why: str
    notes: tuple[str, ...] = ()
    guessed: str = ""


def choose_hot_node(topology: Topology, free: list[Core], named: NamedPorts) -> HotNode:
    """The node for hot cores; PlanError when no core is free at all."""
    room = Counter(core.node for core in free)
    if not room:
        raise PlanError(
            Code.NO_HOT_CORE,
            "every usable CPU shares a core with the boot CPU or a CPU outside our cpuset: none can be hot",
        )
    wanted = named.trading
    if any(nic.node is not None for nic in wanted) or (wanted and len(room) == 1):
        return _beside(topology, room, wanted)
    notes = [f"the NUMA node of {nic.name}, which trades, is not known" for nic in wanted[:1]]
    return _guess(topology, free, room, candidates(topology, named), notes)


def _beside(topology: Topology, room: Mapping[int, int], wanted: tuple[Nic, ...]) -> HotNode:
    """The node of the first named port that has one, or the nearest with a free core."""
    port = next((nic for nic in wanted if nic.node is not None), wanted[0])
    if port.node is None:
        return HotNode(number=min(room), why=f"for the trading port {port.name}")
    if port.node in room:
        return HotNode(number=port.node, why=f"on NUMA node {port.node} with the trading port {port.name}")
    there = topology.node(port.node)
    distances = there.distances if there else {}
    nearest = min(room, key=lambda node: (distances.get(node, 255), node))
    note = f"no core is free on NUMA node {port.node}, which has the trading port {port.name}"
    why = f"on NUMA node {nearest}, the nearest to the trading port {port.name}"
    return HotNode(number=nearest, why=why, notes=(note,))


def _guess(
    topology: Topology, free: list[Core], room: Mapping[int, int], ports: tuple[Nic, ...], notes: list[str]
) -> HotNode:
    """The node of the port that looks most like one that trades, else the node with most free cores."""
    fast = Counter(core.node for core in free if core.speed >= FAST_ENOUGH)
    nics = {node: [nic for nic in ports if nic.node == node] for node in room}
    nobody = (-1, False, False, 0)

    def rank(node: int) -> tuple[object, ...]:
        heaviest = max(map(weight, nics[node]), default=nobody)
        return heaviest, len(nics[node]), node != UNKNOWN_NODE, fast[node], room[node], -node

    best = max(room, key=rank)
    lost = sorted({nic.node for nic in topology.nics if nic.node is not None} - set(room))
    if lost:
        notes.append(f"no core is free on NUMA node {', '.join(map(str, lost))}, which has a network device")
    if nics[best]:
        guessed = ""
        if sum(map(bool, nics.values())) > 1:
            guessed = (
                "no port is named, and network devices are on several NUMA nodes: the hot cores are on node"
                f" {best} by {_names(best_of(nics[best]))} (a link, then a clock, then the speed decides)"
                "; hint: name the port that trades, [[hosts.ports]] of this host in the inventory"
            )
        why = f"on NUMA node {best} with {_names(tuple(nics[best]))}"
        return HotNode(number=best, why=why, notes=tuple(notes), guessed=guessed)
    if len(room) > 1:
        notes.append(
            f"the NUMA node of the network devices is not known; node {best} has the most free cores"
        )
        why = f"on NUMA node {best}, which has the most free cores"
        return HotNode(number=best, why=why, notes=tuple(notes))
    return HotNode(number=best, why="away from the boot CPU", notes=tuple(notes))


def _names(nics: tuple[Nic, ...]) -> str:
    return ", ".join(nic.name for nic in nics[:SHOWN_MAX]) + (", ..." if len(nics) > SHOWN_MAX else "")
