"""Each row of the master table is set back on a made host, alone; the check of that row names it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from checks.expected import Expected, read_plan
from checks.facts import Facts
from checks.reading import cpus_of_list
from checks.settings import setting_findings
from checks.verdict import Verdict
from tests.cases.machines import THREADS
from tests.support.settings_page import plans, stem_of
from tests.support.tuned_facts import IRQ, facts_of, group
from tuning.plan.master_table import TABLE
from tuning.plan.plan import Plan
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    KthreadPriority,
    NicParameter,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)
from tuning.snapshot.files import Snapshot
from tuning.units import ENGINE_SLICE


@cache
def cases() -> dict[str, tuple[Snapshot, Plan, Setting]]:
    """Each row once, with a host and a plan that have it."""
    found: dict[str, tuple[Snapshot, Plan, Setting]] = {}
    for seen, made in plans():
        for setting in made.settings:
            found.setdefault(stem_of(setting.key), (seen, made, setting))
    return found


def set_back(setting: Setting, seen: Snapshot, made: Plan, facts: Facts) -> Facts:
    """The host with this one setting as it was before."""
    everything = cpus_of_list(str(made.isolated | made.housekeeping))
    files = dict(facts.files)
    match setting:
        case KernelArg():
            words = files["/proc/cmdline"].split()
            last = len(words) - 1 - words[::-1].index(setting.text)
            files["/proc/cmdline"] = " ".join(words[:last] + words[last + 1 :])
        case Sysctl() | SysfsValue():
            before = seen.text(setting.path)
            same = before is None or facts.text(setting.path) == before
            files[setting.path] = ("ff" if setting.compare == "cpumask" else "7") if same else before or ""
        case IrqPlacement():
            files[f"{IRQ}/effective_affinity_list"] = str(made.isolated.first())
            files[f"{IRQ}/smp_affinity_list"] = str(made.isolated)
        case KthreadPlacement() | Pid1Affinity():
            tid = 1 if isinstance(setting, Pid1Affinity) else 36
            moved = (replace(one, allowed=everything) if one.tid == tid else one for one in facts.tasks)
            return replace(facts, tasks=tuple(moved))
        case NicParameter():
            back = {(setting.device, setting.knob): "7"}
            return replace(facts, nics={**facts.nics, **back})
        case KthreadPriority():
            tid, _, _ = THREADS[setting.threads]
            plain = (replace(one, policy=0, priority=0) if one.tid == tid else one for one in facts.tasks)
            return replace(facts, tasks=tuple(plain))
        case SliceCpus() if setting.slice.endswith(".service"):
            free = (replace(one, allowed=everything) if one.tid == 77 else one for one in facts.tasks)
            return replace(facts, tasks=tuple(free))
        case SliceCpus():
            wide = made.isolated if setting.slice != ENGINE_SLICE else made.housekeeping
            files[f"{group(setting)}/cpuset.cpus.effective"] = str(wide)
        case UnitState():
            now = ("inactive", "disabled") if setting.enabled == "enabled" else ("active", "enabled")
            running = {"LoadState": "loaded", "ActiveState": now[0], "UnitFileState": now[1]}
            return replace(facts, units={**facts.units, setting.unit: {"Id": setting.unit, **running}})
    return replace(facts, files=files)


def violated(expected: Expected, facts: Facts) -> set[str]:
    return {one.check for one in setting_findings(expected, facts) if one.verdict is Verdict.VIOLATED}


ROWS = [
    row.key
    for row in TABLE
    if row.state in ("effect", "read-back")
    # a flag and a value of another row: their setting is that row's
    and row.key not in ("cmdline.isolcpus.managed_irq", "cmdline.tsc.nowatchdog")
]


def test_there_are_at_least_sixty() -> None:
    assert len(ROWS) >= 60
    assert set(ROWS) == set(cases())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_that_is_set_back_is_named(row: str) -> None:
    seen, made, setting = cases()[row]
    expected, facts = read_plan(made.to_json()), facts_of(seen, made)
    assert violated(expected, facts) == set(), "the tuned host is as planned"
    own = next(one for one in setting_findings(expected, facts) if one.check == f"setting.{setting.key}")
    assert own.verdict is Verdict.OK, own.message
    found = violated(expected, set_back(setting, seen, made, facts))
    assert f"setting.{setting.key}" in found
    others = {one for one in found if one.startswith("setting.") and one != f"setting.{setting.key}"}
    assert not others or isinstance(setting, IrqPlacement | KernelArg), f"only this row: {others}"
