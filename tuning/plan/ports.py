"""Ports: what the operator named, found in the capture; where nothing is named, a guess that says it is one.

Only a person knows which port trades. A host has onboard ports without a cable, virtual functions that nobody
uses, and one card that matters; counting them puts the hot cores beside the wrong one. So the node of the
named trading port is the hot node. Without a name the best single port decides: one with a link before one
without, a whole port before a virtual function or a USB adapter, then one with a clock, then the faster.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations

from tuning.errors import PlanError
from tuning.plan.profile import Flow, IoMode, Port, PortKey, Ports
from tuning.plan.refusal import Code
from tuning.topology.topology import Nic, Topology

# Adapters for a keyboard, a service processor or a laptop: hardware, but never what a host trades with.
WISHES = ("queues", "rx_ring", "tx_ring", "pause", "flows")
Wish = int | str | tuple[Flow, ...]
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@+-]+")
LESSER_DRIVERS = frozenset({"cdc_eem", "cdc_ether", "cdc_ncm", "iwlwifi", "r8152", "rndis_host", "usbnet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPort:
    """A port that was named and found; `io_mode` None is the profile's."""

    use: str
    nic: Nic
    io_mode: IoMode | None = None
    port: Port | None = None

    @property
    def wishes(self) -> dict[str, Wish | None]:
        """What the driver of the port is to have, as far as a person said."""
        port = self.port
        return {} if port is None else {name: getattr(port, name) for name in WISHES}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPorts:
    """Each use with its port; `orders` and `replication` may have several."""

    found: tuple[NamedPort, ...] = ()

    def of(self, *uses: str) -> tuple[Nic, ...]:
        """The ports of these uses, in the order of the uses, each once."""
        nics = {one.nic.name: one.nic for use in uses for one in self.found if one.use == use}
        return tuple(nics.values())

    @property
    def trading(self) -> tuple[Nic, ...]:
        """The ports that carry orders or market data: these decide where hot cores are."""
        return self.of("orders", "feed-a", "feed-b")

    def wishes_of(self, nic: Nic) -> dict[str, Wish]:
        """What was asked of a port's driver under any of its uses."""
        found = [one.wishes for one in self.found if one.nic.name == nic.name]
        return {name: value for each in found for name, value in each.items() if value is not None}

    def mode_of(self, nic: Nic) -> IoMode | None:
        """The I/O mode that was named for a port, None for none."""
        return next((one.io_mode for one in self.found if one.nic.name == nic.name and one.io_mode), None)


def resolve(ports: Ports, topology: Topology) -> NamedPorts:
    """The named ports of this capture; PlanError for one that is not there, that fits several, or that is
    named for two things that exclude each other."""
    found = [
        NamedPort(use=one.use, nic=nic, io_mode=one.io_mode, port=one)
        for one in ports.ports
        for nic in (_members(one, topology) if one.bond else [_find(one.use, one.by, one.word, topology)])
    ]
    if ports.ptp is not None:
        found.append(NamedPort(use="ptp", nic=_find("ptp", None, ports.ptp, topology)))
    named = NamedPorts(found=tuple(found))
    _refuse_contradictions(named, topology)
    return named


KERNELS_WORDS: Mapping[str, str] = {"active-backup": "active-backup", "lacp": "802.3ad"}


def _members(port: Port, topology: Topology) -> tuple[Nic, ...]:
    """The hardware below a named bond, each for what the bond is for; PlanError where it is no such bond."""
    members = tuple(nic for nic in topology.nics if nic.bond and nic.bond.name == port.word)
    bonds = sorted({nic.bond.name for nic in topology.nics if nic.bond})
    if not members:
        raise PlanError(
            Code.PORT_ABSENT,
            f"ports: {port.use} is the bond {port.word!r}, which has no member here;"
            f" hint: there {'are' if len(bonds) != 1 else 'is'} {', '.join(bonds) or 'none'}",
        )
    mode = members[0].bond.mode if members[0].bond else None
    if mode != KERNELS_WORDS[port.bond or ""]:
        _refuse(
            f"{port.word} is named as {port.bond} and is {mode}; hint: a bond has its mode where it is made"
            " (systemd.netdev(5)), and no plan changes it"
        )
    if port.io_mode == "dpdk":
        _refuse(f"{port.word}: dpdk takes ports away from the kernel, whose bond then has no member")
    return members


def _refuse_contradictions(named: NamedPorts, topology: Topology) -> None:
    """Management is never taken for anything else, whoever says what it is: a person or the routes."""
    management = {nic.name for nic in named.of("management")}
    for one in named.found:
        if one.use in ("management", "ptp"):
            continue
        if one.nic.name in management:
            _refuse(f"{one.nic.name} is named for management and for {one.use}; management is never taken")
        if one.nic.has_route and any(nic.name != one.nic.name for nic in topology.nics):
            _refuse(
                f"{one.use} {one.nic.name} carries the host's default route: it is the way to the host, which"
                " is never taken; hint: name another port, or give the host another route"
            )
        modes = {other.io_mode for other in named.found if other.nic.name == one.nic.name and other.io_mode}
        if len(modes) > 1:
            said = " and ".join(sorted(modes))
            _refuse(f"{one.nic.name} is named with the I/O modes {said}; hint: one mode for one port")
        same = [other.wishes for other in named.found if other.nic.name == one.nic.name]
        for name in WISHES:
            values = {each[name] for each in same if each.get(name) is not None}
            if len(values) > 1:
                said = " and ".join(sorted(map(_said, values)))
                _refuse(f"{one.nic.name} is named with {name} {said}; hint: one of them for one port")
        _refuse_flows(one.nic, named.wishes_of(one.nic))


def _said(wish: Wish | None) -> str:
    return ", ".join(one.word for one in wish) if isinstance(wish, tuple) else str(wish)


def _refuse_flows(nic: Nic, wishes: Mapping[str, Wish]) -> None:
    """Each frame has one queue, and the port has it."""
    flows, queues = wishes.get("flows", ()), wishes.get("queues")
    assert isinstance(flows, tuple)
    for one, other in combinations(flows, 2):
        if one.meets(other):
            _refuse(f"{nic.name}: a frame can be of both flows {one.word} and {other.word}")
    for flow in flows:
        if not isinstance(queues, int):
            _refuse(f"{nic.name} has flows and no queues; hint: say how many queues it has")
        elif flow.queue >= queues:
            _refuse(f"{nic.name}: flow {flow.word} goes to queue {flow.queue}, of {queues} from 0")


def _refuse(said: str) -> None:
    raise PlanError(Code.PORT_AMBIGUOUS, f"ports: {said}")


def _find(use: str, by: PortKey | None, word: str, topology: Topology) -> Nic:
    """Exactly one device: by the key that was named, or by any of them (`by` None)."""
    everything = (*topology.nics, *topology.driverless)
    wanted = word.lower()
    keys: tuple[PortKey, ...] = (by,) if by else ("name", "pci", "mac")
    fits = [nic for nic in everything if any(_is(nic, key, word, wanted) for key in keys)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        names = ", ".join(nic.name for nic in fits)
        raise PlanError(
            Code.PORT_AMBIGUOUS, f"ports: {use} is {word!r}, which fits {names}; hint: name its PCI address"
        )
    known = {key: [value for nic in everything if (value := _word_of(nic, key))] for key in keys}
    near = get_close_matches(wanted, [value for values in known.values() for value in values], n=1)
    names = ", ".join(nic.name for nic in everything) or "none"
    hint = f"did you mean {near[0]}?" if near else f"there are {names}"
    what = f"{by} " if by else ""
    raise PlanError(
        Code.PORT_ABSENT, f"ports: {use} is {what}{word!r}, which this host does not have; hint: {hint}"
    )


def _word_of(nic: Nic, key: PortKey) -> str | None:
    return {"name": nic.name, "pci": nic.pci, "mac": nic.mac}[key]


def _is(nic: Nic, key: PortKey, word: str, wanted: str) -> bool:
    return nic.name == word if key == "name" else wanted == _word_of(nic, key)


def candidates(topology: Topology, named: NamedPorts) -> tuple[Nic, ...]:
    """The ports a guess may choose from: every one but the operator's own way to the host."""
    management = management_of(topology, named)
    return tuple(nic for nic in topology.nics if nic.name not in management)


def management_of(topology: Topology, named: NamedPorts) -> frozenset[str]:
    """The ports that are the way to the host: those named for it, and those of its default routes.

    A host with one port has no other: it is used, and nothing is changed that could take its link down.
    """
    ways = {nic.name for nic in (*named.of("management"), *(nic for nic in topology.nics if nic.has_route))}
    return frozenset() if len(topology.nics) == 1 else frozenset(ways)


def weight(nic: Nic) -> tuple[int, bool, bool, int]:
    """How much a port looks like the one that trades; larger is more."""
    link = {True: 2, None: 1, False: 0}[nic.has_link]
    is_whole = not nic.is_function and nic.driver not in LESSER_DRIVERS
    return link, is_whole, nic.has_clock, nic.speed_mbps or 0


def best_of(nics: Collection[Nic]) -> tuple[Nic, ...]:
    """The ports that weigh most, in the order of their names."""
    most = max(map(weight, nics), default=None)
    return tuple(nic for nic in nics if weight(nic) == most)


def clock_port(topology: Topology, named: NamedPorts, hot_node: int) -> Nic | None:
    """The port whose clock is kept: the named one, else one that trades, of the hot node, or any."""
    if named.of("ptp"):
        return named.of("ptp")[0]
    with_clock = [nic for nic in named.trading if nic.has_clock]
    with_clock += [nic for nic in topology.nics if nic.has_clock and nic.node == hot_node]
    with_clock += [nic for nic in topology.nics if nic.has_clock]
    return with_clock[0] if with_clock else None


def port_notes(topology: Topology, named: NamedPorts, hot_node: int) -> Iterator[str]:
    """What an operator should know of the named ports, and what no plan can mend."""
    node = topology.node(hot_node)
    for one in named.found:
        use, nic = one.use, one.nic
        if use != "management" and nic.node not in (None, hot_node):
            far = node.distances.get(nic.node or 0) if node else None
            distance = f", distance {far}" if far else ""
            yield f"{use} {nic.name} is on NUMA node {nic.node}, the hot cores on node {hot_node}{distance}"
    for nic in named.of("ptp"):
        if not nic.has_clock:
            yield f"ptp {nic.name} shows no hardware clock (PHC)"
    for word in dict.fromkeys(one.port.word for one in named.found if one.port and one.port.bond):
        count = sum(one.port is not None and one.port.word == word for one in named.found)
        if count < 2:
            yield f"the bond {word} has one member: what its link loses, it loses"
    for a, b in zip(named.of("feed-a"), named.of("feed-b"), strict=False):
        if a.name == b.name or None is not a.card == b.card:
            yield f"feed-a {a.name} and feed-b {b.name} are on one card: one fault takes both"


def without_link(topology: Topology, ports: Ports) -> tuple[str, ...]:
    """The named ports without a link now, as sentences; no part of a plan, since links come and go."""
    return tuple(
        f"{one.use} {one.nic.name} has no link"
        for one in resolve(ports, topology).found
        if one.nic.has_link is False
    )
