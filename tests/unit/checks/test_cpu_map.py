"""The report's map has every CPU of the plan once, nothing covers anything, and a narrow page holds it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from checks.cpu_map import CELL_H, CELL_W, Node, nodes_of
from checks.expected import Expected
from checks.facts import Facts
from checks.layout import NOTHING, Cache, Device, Layout, layout_of
from checks.page import page_of
from checks.reading import cpus_of_list
from checks.suite import HostResult
from checks.verdict import Verdict
from tests.cases.machines import CASES, machine
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

KINDS = ("two-sockets-nic-on-node-1", "eight-core-caches", "lab-rt")
NARROW = 400 - 2 * 8 - 2 * 11 - 2 * 7 - 4  # a phone, less what page.css puts around a picture
CPU = "/sys/devices/system/cpu/cpu"


def planned(kind: str) -> tuple[Plan, Snapshot]:
    snapshot = machine(CASES[kind])
    return plan(read_topology(snapshot), ENGINE), snapshot


def cores_of(snapshot: Snapshot) -> dict[int, frozenset[int]]:
    found = {}
    for path, text in snapshot.files.items():
        number, _, rest = path.removeprefix(CPU).partition("/topology/")
        if rest in ("core_cpus_list", "thread_siblings_list") and number.isdigit() and text:
            found[int(number)] = cpus_of_list(text)
    return found


def drawn(kind: str, layout: Layout = NOTHING) -> tuple[Plan, tuple[Node, ...]]:
    made, snapshot = planned(kind)
    return made, nodes_of(made.cpus, cores_of(snapshot), layout, {})


@pytest.mark.parametrize("kind", KINDS)
def test_every_planned_cpu_is_drawn_once_and_nothing_covers_anything(kind: str) -> None:
    made, nodes = drawn(kind)
    cells = [cell for node in nodes for one in node.pictures for cell in one.cells]
    assert sorted(cell.cpu for cell in cells) == sorted(one.cpu for one in made.cpus)
    for one in (picture for node in nodes for picture in node.pictures):
        assert one.width <= NARROW, "a narrow page shows it whole"
        for cell in one.cells:
            assert (cell.x + CELL_W <= one.width, cell.y + CELL_H <= one.height) == (True, True)
        for left, right in combinations(one.cells, 2):
            apart = abs(left.x - right.x) >= CELL_W or abs(left.y - right.y) >= CELL_H
            assert apart, (left.cpu, right.cpu)


def test_cpus_that_share_a_cache_are_one_picture_and_devices_stand_at_their_node() -> None:
    made, _ = planned("two-sockets-nic-on-node-1")
    every = sorted(one.cpu for one in made.cpus)
    half = len(every) // 4
    groups = [frozenset(every[at : at + half]) for at in range(0, len(every), half)]
    caches = tuple(Cache(level=3, size="32768K", cpus=one) for one in groups)
    small = tuple(Cache(level=2, size="1024K", cpus=frozenset({cpu})) for cpu in every)
    card = Device(name="ens1", node=1, state="up", interrupts={40: frozenset({0}), 41: frozenset({1, 2})})
    lost = Device(name="eno9", node=None, state="", interrupts={})
    layout = Layout(caches=(*small, *caches), devices=(card, lost), load={every[0]: 7})
    _, nodes = drawn("two-sockets-nic-on-node-1", layout)
    titles = [picture.title for node in nodes for picture in node.pictures]
    assert set(titles) == {"L3 32768K"}, "the last level is what CPUs share"
    assert [[port.name for port in node.ports] for node in nodes] == [[], ["ens1"], ["eno9"]]
    assert nodes[1].ports[0].line == "2 interrupts on CPUs 0-2"
    (hot,) = [cell for node in nodes for one in node.pictures for cell in one.cells if cell.interrupts]
    assert (hot.cpu, hot.interrupts) == (every[0], 7)


def test_the_layout_is_what_the_host_says_and_nothing_else(tuned: Facts) -> None:
    assert layout_of(tuned).caches == (), "the recorded host was asked before caches were read"
    more = {
        f"{CPU}{cpu}/cache/index3/{name}": text
        for cpu in range(4)
        for name, text in (("level", "3"), ("size", "16384K"), ("shared_cpu_list", "0-3"))
    }
    seen = layout_of(replace(tuned, files={**tuned.files, **more}))
    assert seen.caches == (Cache(level=3, size="16384K", cpus=frozenset(range(4))),)
    assert sum(seen.load.values()) >= len(tuned.interrupts)
    torn = {path: "0-" if path.endswith("list") else text for path, text in more.items()}
    assert layout_of(replace(tuned, files={**tuned.files, **torn})).caches == ()


def test_a_page_draws_it_with_signs_that_need_no_colour(expected: Expected) -> None:
    one = HostResult(host="h", started_at="2026", expected=expected)
    page = page_of("s", [one], {})
    assert page.count('<g class="cpu ') == len(expected.plan.cpus)
    assert 'role="img" aria-label="no shared cache known, CPU 0' in page
    shown = nodes_of(expected.plan.cpus, {}, NOTHING, {0: Verdict.VIOLATED, 1: Verdict.OK})
    signs = [cell.sign for node in shown for drawing in node.pictures for cell in drawing.cells]
    assert signs[:2] == ["x", "+"]
