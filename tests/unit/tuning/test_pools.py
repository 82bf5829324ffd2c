"""The hugepages of a plan, read back: however a kernel takes them, an engine may count on the same pages."""

from __future__ import annotations

import pytest

from tests.cases.machines import CASES, machine
from tuning.errors import PlanError
from tuning.plan.memory import planned_pools
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology


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
