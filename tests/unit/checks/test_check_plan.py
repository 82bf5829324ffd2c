"""Planted mistakes of the planner: a plan that isolates the boot CPU, and a list parser that drops a CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import tuning.cpuset
from checks.errors import CheckError
from checks.expected import Expected, committed, plan_findings, read_plan
from checks.facts import PLAN, STATE, Facts
from checks.verdict import Verdict
from tuning.cpuset import CpuSet
from tuning.plan.plan import CpuDecision, Plan
from tuning.plan.setting import KernelArg


def planted(expected: Expected, facts: Facts, change: Callable[[Plan], Plan]) -> dict[str, str | None]:
    """A host that committed a changed plan, rightly hashed and recorded, as a faulty planner leaves it."""
    plan = change(expected.plan)
    state = json.dumps({"committed": {"plan_hash": plan.plan_hash}})
    host = replace(facts, files={**facts.files, PLAN: plan.to_json(), STATE: state})
    found, record = committed(host)
    assert record.verdict is Verdict.OK
    assert found is not None
    return {finding.check: finding.reason for finding in plan_findings(found, host)}


def with_role(cpu: int, role: Any) -> Callable[[Plan], Plan]:
    def change(plan: Plan) -> Plan:
        cpus = tuple(replace(one, role=role) if one.cpu == cpu else one for one in plan.cpus)
        return replace(plan, cpus=cpus)

    return change


def with_arg(name: str, value: str) -> Callable[[Plan], Plan]:
    def change(plan: Plan) -> Plan:
        settings = tuple(
            replace(s, value=value) if isinstance(s, KernelArg) and s.name == name else s
            for s in plan.settings
        )
        return replace(plan, settings=settings)

    return change


def test_plan_that_isolates_the_boot_cpu_is_caught(expected: Expected, tuned: Facts) -> None:
    found = planted(expected, tuned, with_role(0, "engine"))
    assert found["plan.boot_cpu"] == "boot_cpu_isolated"
    assert found["plan.list.nohz_full"] == "list_mismatch"


def test_plan_whose_lists_include_the_boot_cpu_is_caught(expected: Expected, tuned: Facts) -> None:
    found = planted(expected, tuned, with_arg("nohz_full", "0,2-3"))
    assert found["plan.list.nohz_full"] == "list_mismatch"


@pytest.mark.parametrize("name", ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"])
@pytest.mark.parametrize("value", ["2", "0-3", "4-3", "x", ""])
def test_list_that_differs_from_its_roles_is_caught(
    name: str, value: str, expected: Expected, tuned: Facts
) -> None:
    assert planted(expected, tuned, with_arg(name, value))[f"plan.list.{name}"] == "list_mismatch"


def test_cpu_with_two_roles_is_caught(expected: Expected, tuned: Facts) -> None:
    twice = CpuDecision(cpu=3, node=1, role="housekeeping", why="planted")
    found = planted(expected, tuned, lambda plan: replace(plan, cpus=(*plan.cpus, twice)))
    assert found["plan.partition"] == "not_partition"


def test_cpu_without_a_role_is_caught(expected: Expected, tuned: Facts) -> None:
    found = planted(expected, tuned, lambda plan: replace(plan, cpus=plan.cpus[:3]))
    assert found["plan.partition"] == "not_partition"


def test_same_list_in_another_notation_is_the_same_list(expected: Expected, tuned: Facts) -> None:
    assert planted(expected, tuned, with_arg("nohz_full", "2-N"))["plan.list.nohz_full"] is None
    assert planted(expected, tuned, with_arg("nohz_full", "3,2"))["plan.list.nohz_full"] is None


def test_planted_bug_in_the_planners_list_parser_is_caught(
    expected: Expected, tuned: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges lose their last CPU wherever the planner reads a list; the checks have a reader of their own."""
    right = CpuSet.parse_list

    def wrong(text: str, cpu_count: int | None = None) -> CpuSet:
        found = right(text, cpu_count)
        return found - CpuSet.of([found.last()]) if "-" in text else found

    monkeypatch.setattr(tuning.cpuset.CpuSet, "parse_list", staticmethod(wrong))
    usable = CpuSet.parse_list(tuned.files["/sys/devices/system/cpu/online"])

    def planner(plan: Plan) -> Plan:
        cpus = tuple(one for one in plan.cpus if one.cpu in usable)
        lists = {"isolcpus": "managed_irq,domain,2", "nohz_full": "2", "rcu_nocbs": "2"}
        settings = tuple(s for s in plan.settings if isinstance(s, KernelArg))
        changed = tuple(replace(s, value=lists.get(s.name, s.value)) for s in settings)
        return replace(plan, cpus=cpus, settings=changed)

    assert planted(expected, tuned, planner)["plan.partition"] == "not_partition"
    text = tuned.files[PLAN]  # and a right plan, read by the faulty parser, is refused instead of passed
    with pytest.raises(CheckError, match="not a plan"):
        read_plan(text)


def test_plan_changed_after_planning_is_refused(tuned: Facts) -> None:
    document = json.loads(tuned.files[PLAN])
    document["cpus"][0]["why"] = "changed"
    with pytest.raises(CheckError, match="hash"):
        read_plan(json.dumps(document))


def test_given_plan_and_controllers_record_must_agree_with_the_host(expected: Expected, tuned: Facts) -> None:
    other = read_plan(replace(expected.plan, profile="other").to_json())
    assert committed(tuned, expected, expected.plan_hash)[1].verdict is Verdict.OK
    assert committed(tuned, other)[1].reason == "plan_hash_mismatch"
    assert committed(tuned, None, "0" * 64)[1].reason == "plan_hash_mismatch"


def test_host_without_a_plan_is_measured_against_the_given_one_and_not_proven(
    expected: Expected, tuned: Facts
) -> None:
    bare = replace(tuned, files={p: t for p, t in tuned.files.items() if p != PLAN}, absent=frozenset({PLAN}))
    found, record = committed(bare, expected)
    assert found is expected
    assert (record.verdict, record.reason) == (Verdict.UNVERIFIABLE, "no_plan")
