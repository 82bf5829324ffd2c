"""The CPU map: sockets, NUMA nodes with their network devices, last-level caches, cores and roles, as text.

A core is a pair of brackets around its threads, one role letter each; a run of identical cores is drawn
once. The result is lines of segments, so that a terminal can colour roles and a file can omit them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tuning.cpuset import CpuSet
from tuning.plan.plan import ROLES, CpuRole, Plan
from tuning.topology.topology import UNKNOWN_NODE, Core, Topology

LETTERS: dict[CpuRole, str] = {
    "housekeeping": "h",
    "irq": "I",
    "ptp": "T",
    "poll": "P",
    "engine": "E",
    "spare": "s",
}
RUN_MIN = 4
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, and the role whose colour it takes."""

    text: str
    role: CpuRole | None = None


Line = tuple[Segment, ...]


def draw(topology: Topology, plan: Plan | None) -> tuple[Line, ...]:
    """The map; without a plan, the topology alone."""
    roles: dict[int, CpuRole] = {one.cpu: one.role for one in plan.cpus} if plan else {}
    lines: list[Line] = []
    for node in sorted({core.node for core in topology.cores}):
        there = [core for core in topology.cores if core.node == node]
        lines.append((Segment(_node_title(topology, node)),))
        for package, group in groupby(sorted(there, key=_place), key=lambda core: core.package):
            lines.extend(_package_lines(package, list(group), roles))
    empty = [node.number for node in topology.nodes if not node.cpus]
    if empty:
        lines.append((Segment(f"without CPUs: NUMA node {', '.join(map(str, empty))}"),))
    if topology.offline:
        lines.append((Segment(f"offline: {topology.offline}"),))
    if topology.not_ours:
        lines.append((Segment(f"outside our cpuset: {topology.not_ours}"),))
    if plan:
        lines.append(_legend(roles))
    return tuple(lines)


def as_text(lines: tuple[Line, ...]) -> str:
    """The map without colours."""
    return "\n".join("".join(segment.text for segment in line) for line in lines) + "\n"


def _place(core: Core) -> tuple[int, int, int]:
    package = -1 if core.package is None else core.package
    return package, core.llc.first() if core.llc else core.cpus.first(), core.cpus.first()


def _node_title(topology: Topology, number: int) -> str:
    nics = [nic.name for nic in topology.nics if (UNKNOWN_NODE if nic.node is None else nic.node) == number]
    if number == UNKNOWN_NODE:
        return "NUMA node not known"
    node = topology.node(number)
    memory = f", {node.memory_bytes >> 20} MiB" if node and node.memory_bytes is not None else ""
    devices = f", {' '.join(nics[:6])}{' ...' if len(nics) > 6 else ''}" if nics else ""
    return f"NUMA node {number}{memory}{devices}"


def _package_lines(package: int | None, cores: list[Core], roles: dict[int, CpuRole]) -> Iterator[Line]:
    title = "  package not known" if package is None else f"  package {package}"
    yield (Segment(title),)
    for llc, group in groupby(cores, key=lambda core: core.llc):
        head = f"    cache {llc}: " if llc else "    cache not known: "
        yield from _wrapped(head, [_core(run, roles) for run in _runs(list(group), roles)])


def _runs(cores: list[Core], roles: dict[int, CpuRole]) -> Iterator[list[Core]]:
    """Adjacent cores with the same roles grouped, once there are enough of them; other cores alone."""
    for _, group in groupby(cores, key=lambda core: [roles.get(cpu) for cpu in core.cpus]):
        alike = list(group)
        if len(alike) >= RUN_MIN:
            yield alike
        else:
            yield from ([core] for core in alike)


def _core(run: list[Core], roles: dict[int, CpuRole]) -> Segment:
    first = run[0].cpus
    role = next((roles[cpu] for cpu in first if cpu in roles), None)
    if len(run) > 1:
        every = CpuSet.of(cpu for core in run for cpu in core.cpus)
        letters = "".join(_letter(roles, cpu) for cpu in first)
        return Segment(f"[{len(run)} cores {every}{' ' if letters else ''}{letters}] ", role)
    return Segment("[" + " ".join(f"{cpu}{_letter(roles, cpu)}" for cpu in first) + "] ", role)


def _letter(roles: dict[int, CpuRole], cpu: int) -> str:
    if cpu in roles:
        return LETTERS[roles[cpu]]
    return "x" if roles else ""


def _wrapped(head: str, segments: list[Segment]) -> Iterator[Line]:
    line, used = [Segment(head)], len(head)
    for segment in segments:
        if used + len(segment.text) > WIDTH and len(line) > 1:
            yield tuple(line)
            line, used = [Segment(" " * len(head))], len(head)
        line.append(segment)
        used += len(segment.text)
    yield tuple(line)


def _legend(roles: dict[int, CpuRole]) -> Line:
    seen = set(roles.values())
    return tuple(Segment(f"{LETTERS[role]} {role}  ", role) for role in ROLES if role in seen)
