"""One check per setting of the plan: the planned value against the checks' own reading of the host.

The CPUs of a placement are taken from the raw document with the checks' own parser (see expected.py). How a
value is compared depends on its `compare`: text, CPU list, CPU mask or a choice in brackets; sets are
compared as sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.interrupts import irqs_outside
from checks.kernel_line import problem_of_argument, words_of_line
from checks.ports import clock_daemon, device_interrupts, nic_parameter
from checks.reading import Cpus, choice_of, cpus_of_list, cpus_of_mask, list_of
from checks.tasks import kthread_priority, kthreads_outside
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
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


def setting_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """A finding for every setting, and one for every refusal of the planner."""
    found = [_guarded(setting, raw, expected, facts) for setting, raw in expected.settings]
    refused = [
        not_applicable(f"setting.{refusal.key}", "refused_in_plan", f"{refusal.code}: {refusal.reason}")
        for refusal in expected.plan.refused
    ]
    return (*found, *refused)


def _guarded(setting: Setting, raw: Mapping[str, Any], expected: Expected, facts: Facts) -> Finding:
    try:
        return _judge(setting, raw, expected, facts)
    except CheckError as error:
        return unverifiable(f"setting.{setting.key}", "facts_cut", str(error), why=setting.why)


def _judge(  # noqa: PLR0911  # one line per kind of setting
    setting: Setting, raw: Mapping[str, Any], expected: Expected, facts: Facts
) -> Finding:
    match setting:
        case KernelArg():
            return _argument(setting, expected, facts)
        case Sysctl() | SysfsValue():
            return _value(setting, facts.highest, facts)
        case IrqPlacement() if setting.device:
            return device_interrupts(setting, cpus_of_list(str(raw["cpus"])), facts)
        case IrqPlacement():
            return irqs_outside(f"setting.{setting.key}", setting.why, expected.isolated, facts)
        case KthreadPlacement():
            return kthreads_outside(f"setting.{setting.key}", setting.why, expected.isolated, facts)
        case NicParameter():
            return nic_parameter(setting, facts)
        case KthreadPriority():
            return kthread_priority(setting, facts)
        case SliceCpus() if setting.slice.endswith(".service"):
            return clock_daemon(setting, cpus_of_list(str(raw["cpus"])), facts)
        case SliceCpus():
            return _slice(setting, cpus_of_list(str(raw["cpus"])), facts)
        case Pid1Affinity():
            return _pid1(setting, cpus_of_list(str(raw["cpus"])), facts)
        case UnitState():
            return _unit(setting, facts)
        case _:
            assert_never(setting)


def _argument(setting: KernelArg, expected: Expected, facts: Facts) -> Finding:
    check, text = f"setting.{setting.key}", facts.text("/proc/cmdline")
    if covered := facts.covered("/proc/cmdline"):
        return unverifiable(check, "not_procfs", covered, expected=setting.text, why=setting.why)
    if text is None:
        return unverifiable(
            check, "not_read", "the command line is not known", expected=setting.text, why=setting.why
        )
    planned = [one for one, _ in expected.settings if isinstance(one, KernelArg)]
    found = problem_of_argument(setting, planned, words_of_line(text), facts.highest)
    if found is None:
        return ok(
            check,
            f"booted with {setting.text}",
            expected=setting.text,
            observed=setting.text,
            why=setting.why,
        )
    reason, seen = found
    said = (
        f"{setting.text} is not on the booted command line"
        if reason == "arg_missing"
        else f"booted with {seen}; the plan wants {setting.text}"
    )
    return violated(check, reason, said, expected=setting.text, observed=seen, why=setting.why)


def _value(setting: Sysctl | SysfsValue, highest: int | None, facts: Facts) -> Finding:
    check, path, seen = f"setting.{setting.key}", setting.path, facts.text(setting.path)
    sets = {"expected": setting.value, "observed": seen or "", "why": setting.why}
    if seen is None:
        if facts.is_absent(path):
            return violated(check, "value_absent", f"{path} does not exist", **sets)
        return unverifiable(check, *facts.unknown(path), **sets)
    if not same_value(setting.compare, setting.value, seen, highest):
        return violated(
            check, "value_differs", f"{path} is {seen[:80]}; the plan wants {setting.value}", **sets
        )
    return ok(check, f"{path} is {setting.value}", **sets)


def same_value(compare: str, wanted: str, seen: str, highest: int | None) -> bool:
    """Whether two texts of a value mean the same; sets are compared as sets."""
    match compare:
        case "cpulist":
            return cpus_of_list(seen, highest) == cpus_of_list(wanted, highest)
        case "cpumask":
            return cpus_of_mask(seen) == cpus_of_mask(wanted)
        case "choice":
            return choice_of(seen) == wanted
        case _:
            return seen.split() == wanted.split()


def _slice(setting: SliceCpus, wanted: Cpus, facts: Facts) -> Finding:
    check, unit = f"setting.{setting.key}", facts.units.get(setting.slice, {})
    path = f"/sys/fs/cgroup/{cgroup_of_slice(setting.slice)}/cpuset.cpus.effective"
    seen = facts.text(path)
    where = "uses"
    if seen is None and path not in facts.files and unit.get("ActiveState") == "inactive":
        seen, where = unit.get("AllowedCPUs"), "is set to"  # nothing runs there now: what systemd would set
    sets = {"expected": list_of(wanted), "observed": seen or "", "why": setting.why}
    if seen is None:
        return unverifiable(check, *facts.unknown(path), **sets)
    if cpus_of_list(seen) != wanted:
        message = f"{setting.slice} {where} CPUs {seen or 'of its parent'}; the plan wants {list_of(wanted)}"
        return violated(check, "slice_cpus_differ", message, **sets)
    return ok(check, f"{setting.slice} {where} CPUs {seen}", **sets)


def cgroup_of_slice(name: str) -> str:
    """`hft-engine.slice` is nested in `hft.slice` (systemd.slice(5): each dash is a level)."""
    stem, _, kind = name.rpartition(".")
    if kind != "slice":
        return name
    parts = stem.split("-")
    return "/".join(f"{'-'.join(parts[: depth + 1])}.slice" for depth in range(len(parts)))


def _pid1(setting: Pid1Affinity, wanted: Cpus, facts: Facts) -> Finding:
    check = f"setting.{setting.key}"
    first = next((task for task in facts.tasks if task.tid == 1), None)
    cover = facts.covered("/proc/1/status")
    if first is None or cover:
        return unverifiable(check, "not_read", cover or "process 1 is not visible", why=setting.why)
    sets = {"expected": list_of(wanted), "observed": list_of(first.allowed), "why": setting.why}
    if not first.allowed <= wanted:
        message = f"process 1 may run on CPUs {list_of(first.allowed)}; the plan wants {list_of(wanted)}"
        return violated(check, "value_differs", message, **sets)
    return ok(check, f"process 1 runs on CPUs {list_of(first.allowed)}", **sets)


def _unit(setting: UnitState, facts: Facts) -> Finding:
    check, seen = f"setting.{setting.key}", facts.units.get(setting.unit, {})
    if not {"ActiveState", "UnitFileState", "LoadState"} <= seen.keys():
        return unverifiable(check, "not_read", f"the state of {setting.unit} is not known", why=setting.why)
    enabled, active = (
        seen["UnitFileState"],
        seen["ActiveState"] in ("active", "activating", "reloading"),
    )
    accepted = {
        "masked": ("masked",),  # one that is not installed is started by the next package that brings it
        "disabled": ("disabled", "masked") if seen["LoadState"] != "not-found" else ("",),
        "enabled": ("enabled", "static", "generated"),
        None: (enabled,),
    }[setting.enabled]
    observed = f"{enabled or seen['LoadState'] or 'not installed'}, {'started' if active else 'stopped'}"
    sets = {"expected": setting.value, "observed": observed, "why": setting.why}
    if enabled not in accepted or (setting.active is not None and active is not setting.active):
        return violated(
            check,
            "unit_state_differs",
            f"{setting.unit} is {observed}; the plan wants {setting.value}",
            **sets,
        )
    return ok(check, f"{setting.unit} is {observed}", **sets)
