"""Unlike machines and their plans, kept as files; `HFT_UPDATE_GOLDEN=1 pytest tests/unit/tuning` writes them.

A golden plan holds what people review: roles with their whys, settings, refusals, notes. Its hash pins the
rest, byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from typing import Any

import pytest

from hft.views.topology import WIDTH, as_text, draw
from tests.cases.machines import CASES, machine, tuned
from tests.support.checkout import ROOT
from tuning.compliance.diff import diff
from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import setting_to_dict
from tuning.topology.reader import read_topology

GOLDEN = ROOT / "tests" / "cases" / "plan"
REFUSED = ("one-cpu", "two-cpus", "two-cores-of-four-threads-each-refused")


def summary(made: Plan) -> dict[str, Any]:
    """The plan as people read it."""
    groups: dict[tuple[str, int, str], list[int]] = {}
    for one in made.cpus:
        groups.setdefault((one.role, one.node, one.why), []).append(one.cpu)
    return {
        "plan_hash": made.plan_hash,
        "cpus": [
            f"{CpuSet.of(cpus)}: {role} on node {node}, {why}" for (role, node, why), cpus in groups.items()
        ],
        "command_line": list(made.kernel_args()),
        "settings": {one["key"]: one["value"] for one in map(setting_to_dict, made.settings)},
        "refused": {one.key: f"{one.code.value}: {one.reason}" for one in made.refused},
        "notes": list(made.notes),
    }


@pytest.mark.parametrize("name", CASES)
def test_plan_is_the_recorded_one(name: str) -> None:
    try:
        found = summary(plan(read_topology(machine(CASES[name])), ENGINE))
    except PlanError as error:
        found = {"refused": f"{error.code}: {error}"}
    file = GOLDEN / f"{name}.json"
    if os.environ.get("HFT_UPDATE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(file.read_text())


def test_no_recorded_plan_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", REFUSED)
def test_hosts_too_small_are_refused_with_a_code(name: str) -> None:
    with pytest.raises(PlanError) as refusal:
        plan(read_topology(machine(CASES[name])), ENGINE)
    assert refusal.value.code in ("too_few_cpus", "no_hot_core")


@pytest.mark.parametrize("name", ["lab-rt", "lab-generic", "lab-numa-node-unknown"])
def test_a_lab_host_gets_the_roles_its_payload_is_built_for(name: str) -> None:
    made = plan(read_topology(machine(CASES[name])), ENGINE)
    assert [one.role for one in made.cpus] == ["housekeeping", "irq", "poll", "engine"]
    assert "hugepages=1:32" in made.kernel_args()


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_an_applied_plan_leaves_nothing_pending_and_does_not_change(name: str) -> None:
    before = machine(CASES[name])
    made = plan(read_topology(before), ENGINE)
    pending = {one.setting.key for one in diff(made, before).all}
    assert {"cmdline.isolcpus", "cmdline.nohz_full", "unit.irqbalance.service"} <= pending
    if CASES[name].allowed is None:
        after = tuned(before, made)
        assert [one.reason for one in diff(made, after).all] == []
        assert plan(read_topology(after), ENGINE).plan_hash == made.plan_hash


@pytest.mark.parametrize("name", CASES)
def test_the_map_shows_every_cpu_once_and_stays_within_its_width(name: str) -> None:
    topology = read_topology(machine(CASES[name]))
    made = None if name in REFUSED else plan(topology, ENGINE)
    text = as_text(draw(topology, made))
    shown: list[int] = []
    for core in re.findall(r"\[(?:[0-9]+ cores )?([^\]]*)\]", text):
        shown += CpuSet.parse_list(re.sub("[a-zA-Z]", "", core))
    assert sorted(shown) == list(topology.online)
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_node_keeps_a_housekeeping_core_even_when_no_core_is_for_interrupts() -> None:
    profile = dataclasses.replace(ENGINE, irq_cores_most=0)
    made = plan(read_topology(machine(CASES["lab-rt"])), profile)
    assert [one.role for one in made.cpus] == ["housekeeping", "housekeeping", "poll", "engine"]


def test_at_most_three_quarters_of_the_cores_are_isolated() -> None:
    profile = dataclasses.replace(ENGINE, engine_threads_most=100)
    made = plan(read_topology(machine(CASES["package-minus-one"])), profile)
    assert len(made.isolated) == 12


def test_memory_that_differs_by_less_than_a_power_of_two_gives_the_same_plan() -> None:
    profile = dataclasses.replace(ENGINE, hugepage_share_most=0.2)
    hashes = set()
    for memory_kib in (530_000, 760_000, 1_030_000):
        spec = dataclasses.replace(CASES["lab-rt"], memory_kib={0: 700_000, 1: memory_kib})
        hashes.add(plan(read_topology(machine(spec)), profile).plan_hash)
    assert len(hashes) == 1


def test_the_map_marks_cpus_that_are_not_ours() -> None:
    topology = read_topology(machine(CASES["container-cuts-a-core"]))
    assert "[0x 1h]" in as_text(draw(topology, plan(topology, ENGINE)))
