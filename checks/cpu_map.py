"""The CPU map of the report, drawn: where each CPU, core, shared cache and network device of a host stands.

Geometry alone: from a plan's CPUs, the host's layout and its findings to boxes with places in pixels. One
picture is one last-level cache, at most four CPUs wide, so that a narrow page can put one below the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.layout import Cache, Device, Layout
from checks.reading import Cpus, list_of
from checks.verdict import Verdict

WIDE, CELL_W, CELL_H, GAP, PAD, HEAD = 4, 76, 52, 3, 3, 18
SIGNS = {Verdict.OK: "+", Verdict.VIOLATED: "x", Verdict.UNVERIFIABLE: "?"}  # read without colours, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One CPU."""

    x: int
    y: int
    cpu: int
    role: str
    why: str
    sign: str
    interrupts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The outline of one core."""

    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The CPUs that share a last-level cache, or those of a node where none is known."""

    title: str
    width: int
    height: int
    cells: tuple[Cell, ...]
    boxes: tuple[Box, ...]

    @property
    def words(self) -> str:
        """The picture as a sentence, for who does not see it."""
        return ", ".join([self.title, *(f"CPU {one.cpu} {one.role}" for one in self.cells)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A network device beside its node."""

    name: str
    state: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One NUMA node: its pictures and its devices."""

    title: str
    pictures: tuple[Picture, ...]
    ports: tuple[Port, ...]


def nodes_of(
    cpus: Sequence[Any], cores: Mapping[int, Cpus], layout: Layout, seen: Mapping[int, Verdict]
) -> tuple[Node, ...]:
    """The map of a host whose plan gives CPUS (cpu, node, role, why); SEEN is what was measured on each."""
    numbers = sorted({one.node for one in cpus})
    nodes = []
    for node in numbers:
        mine = {one.cpu: one for one in cpus if one.node == node}
        pictures = tuple(
            _picture(title, group, mine, cores, layout, seen) for title, group in _groups(mine.keys(), layout)
        )
        title = f"NUMA node {node}" if node >= 0 else "NUMA node not known"
        nodes.append(Node(title=title, pictures=pictures, ports=_ports(layout, {node})))
    elsewhere = tuple(one for one in layout.devices if one.node not in numbers)
    if elsewhere:
        nodes.append(Node(title="no node known", pictures=(), ports=tuple(map(_port, elsewhere))))
    return tuple(nodes)


def _groups(cpus: Any, layout: Layout) -> list[tuple[str, list[int]]]:
    """The CPUs of a node by their last-level cache."""
    level = max((one.level for one in layout.caches), default=0)
    left, found = set(cpus), []
    for cache in layout.caches:
        shared = sorted(left & cache.cpus) if cache.level == level else []
        if shared:
            left -= set(shared)
            found.append((_title(cache), shared))
    return [*found, *([("no shared cache known", sorted(left))] if left else [])]


def _title(cache: Cache) -> str:
    return f"L{cache.level} {cache.size}".strip()


def _picture(  # noqa: PLR0913, PLR0917  # what one picture shows
    title: str,
    group: Sequence[int],
    mine: Mapping[int, Any],
    cores: Mapping[int, Cpus],
    layout: Layout,
    seen: Mapping[int, Verdict],
) -> Picture:
    rows = _rows(group, cores)
    cells, boxes = [], []
    for number, row in enumerate(rows):
        x, y = PAD, HEAD + number * (CELL_H + 2 * PAD + GAP)
        for core in row:
            boxes.append(Box(x=x, y=y, width=len(core) * (CELL_W + GAP) - GAP + 2 * PAD))
            for place, cpu in enumerate(core):
                cells.append(_cell(mine[cpu], x + PAD + place * (CELL_W + GAP), y + PAD, layout, seen))
            x += boxes[-1].width + GAP
    width = max(box.x + box.width for box in boxes) + PAD
    height = HEAD + len(rows) * (CELL_H + 2 * PAD + GAP)
    return Picture(title=title, width=width, height=height, cells=tuple(cells), boxes=tuple(boxes))


def _rows(group: Sequence[int], cores: Mapping[int, Cpus]) -> list[list[tuple[int, ...]]]:
    """Whole cores in rows of at most WIDE CPUs; a core with more has a row for each WIDE of its own."""
    known = dict.fromkeys(
        tuple(sorted(cores.get(cpu, frozenset({cpu})) & set(group))) or (cpu,) for cpu in group
    )
    rows: list[list[tuple[int, ...]]] = [[]]
    for core in known:
        for part in (core[at : at + WIDE] for at in range(0, len(core), WIDE)):
            if rows[-1] and sum(map(len, rows[-1])) + len(part) > WIDE:
                rows.append([])
            rows[-1].append(part)
    return rows


def _cell(one: Any, x: int, y: int, layout: Layout, seen: Mapping[int, Verdict]) -> Cell:
    verdict = seen.get(one.cpu)
    return Cell(
        x=x,
        y=y,
        cpu=one.cpu,
        role=one.role,
        why=one.why,
        sign=SIGNS.get(verdict, "") if verdict else "",
        interrupts=layout.load.get(one.cpu, 0),
    )


def _ports(layout: Layout, nodes: set[int]) -> tuple[Port, ...]:
    return tuple(_port(one) for one in layout.devices if one.node in nodes)


def _port(one: Device) -> Port:
    served = frozenset[int]().union(*one.interrupts.values())
    what = "1 interrupt" if len(one.interrupts) == 1 else f"{len(one.interrupts)} interrupts"
    line = f"{what} on CPUs {list_of(served)}" if served else "no interrupt now"
    return Port(name=one.name, state=one.state or "link not known", line=line)
