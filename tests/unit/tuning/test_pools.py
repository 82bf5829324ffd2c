"""The hugepages of a plan, read back: however a kernel takes them, an engine may count on the same pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, machine
from tuning.errors import PlanError
from tuning.plan.memory import planned_pools
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology


def planned(case: str, release: str) -> Plan | None:
    found = machine(CASES[case])
    kernel = {"/proc/sys/kernel/osrelease": f"{release}\n"}
    try:
        return plan(read_topology(Snapshot({**found.files, **kernel}, found.links)), ENGINE)
    except PlanError:
        return None


@pytest.mark.parametrize("case", CASES)
def test_the_pool_is_the_same_by_the_command_line_and_by_a_file(case: str) -> None:
    new, old = planned(case, "6.1.0-56-amd64"), planned(case, "5.10.0-30-amd64")
    assert (new is None) == (old is None)
    if new is not None and old is not None:
        assert planned_pools(new.settings) == planned_pools(old.settings)
        refused = {one.key for one in new.refused}
        assert bool(planned_pools(new.settings)) != ("cmdline.hugepages" in refused)


def test_both_ways_are_among_the_cases() -> None:
    made = [one for case in CASES if (one := planned(case, "5.10.0-30-amd64"))]
    ways = {one.key for each in made for one in each.settings if "hugepages" in one.key}
    assert {"memory.hugepages", "cmdline.hugepages"} <= ways


BIG = read_topology(machine(CASES["two-sockets-nic-on-node-1"]))


def test_pages_of_a_gibibyte_are_on_the_hot_node_and_the_others_get_what_is_left() -> None:
    made = plan(BIG, replace(ENGINE, pages_1gib=7, hugepage_bytes_most=4 << 30))
    words = made.kernel_args()
    at = words.index("hugepagesz=1G")
    assert words[at : at + 4] == ("hugepagesz=1G", "hugepages=1:7", "hugepagesz=2M", "hugepages=1:512")
    assert planned_pools(made.settings) == {1024 * 1024: 7, 2048: 512}
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("topology", "pages", "code", "said"),
    [
        (BIG, 9, "hugepages_share", "does not hold them"),
        (replace(BIG, hugepage_sizes_kib=(2048,)), 1, "hugepages_unknown", "none of that size"),
        (replace(BIG, kernel_release="5.10.0-9-amd64"), 1, "hugepages_unknown", "from 5.16"),
        (read_topology(machine(CASES["lab-rt"])), 1, "hugepages_share", "does not hold them"),
    ],
)
def test_pages_of_a_gibibyte_that_a_host_cannot_give_refuse_the_host(
    topology: Topology, pages: int, code: str, said: str
) -> None:
    with pytest.raises(PlanError, match=said) as refusal:
        plan(topology, replace(ENGINE, pages_1gib=pages))
    assert refusal.value.code == code


def test_a_pool_of_the_operators_own_is_kept_alone() -> None:
    made = plan(replace(BIG, base_pool=("hugepagesz=1G", "hugepages=4")), replace(ENGINE, pages_1gib=1))
    assert not any("hugepages" in word for word in made.kernel_args())
