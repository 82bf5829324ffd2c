"""One check per setting of the plan: the planned value against our own reading of the host.

The CPUs of a placement are taken from the raw document with our own parser (see expected.py). What a
value means is decided by its `compare`: text, CPU list, CPU mask or a choice in brackets; sets are
compared as sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, assert_never

from checks.errors import CheckError
from checks.expected import FLAGS, Expected, cpus_of_argument
from checks.facts import Facts
from checks.reading import (
    Cpus,
    choice_of,
    cpus_of_list,
    cpus_of_mask,
    list_of,
    words_of_cmdline,
)
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from tuning.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitWish,
)

CPU_LIST_ARGUMENTS = frozenset({"isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity", "kthread_cpus"})
IN_ORDER = frozenset({"default_hugepagesz", "hugepagesz", "hugepages"})  # each size owns the count after it


def setting_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """A finding for every setting, and one for everything that the planner refused."""
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
            return _value(setting, max(expected.roles, default=0), facts)
        case IrqPlacement():
            return irqs_outside(f"setting.{setting.key}", setting.why, expected.isolated, facts)
        case KthreadPlacement():
            return kthreads_outside(f"setting.{setting.key}", setting.why, expected.isolated, facts)
        case SliceCpus():
            return _slice(setting, cpus_of_list(str(raw["cpus"])), facts)
        case Pid1Affinity():
            return _pid1(setting, cpus_of_list(str(raw["cpus"])), facts)
        case UnitWish():
            return _unit(setting, facts)
        case _:
            assert_never(setting)


def _argument(setting: KernelArg, expected: Expected, facts: Facts) -> Finding:
    check, name, text = f"setting.{setting.key}", setting.name.replace("-", "_"), facts.text("/proc/cmdline")
    if covered := facts.covered("/proc/cmdline"):
        return unverifiable(check, "not_procfs", covered, expected=setting.text, why=setting.why)
    if text is None:
        return unverifiable(
            check, "not_read", "the command line is not known", expected=setting.text, why=setting.why
        )
    seen = [value for word, value in words_of_cmdline(text) if word == name]
    wanted = [
        arg.value for arg, _ in expected.settings if isinstance(arg, KernelArg) and arg.name == setting.name
    ]
    observed = " ".join(f"{name}={value}" if value else name for value in seen)
    sets = {"expected": setting.text, "observed": observed or "absent", "why": setting.why}
    if not seen:
        return violated(check, "arg_missing", f"{setting.text} is not on the booted command line", **sets)
    if name in IN_ORDER:
        same = seen == wanted
    elif name in CPU_LIST_ARGUMENTS:
        same = _same_list_argument(seen[-1], setting.value, max(expected.roles, default=0))
    else:
        same = seen[-1] == setting.value  # the kernel takes the last one
    if not same:
        return violated(check, "arg_differs", f"booted with {observed}, planned is {setting.text}", **sets)
    return ok(check, f"booted with {setting.text}", **sets)


def _same_list_argument(seen: str, wanted: str, highest: int) -> bool:
    flags = [FLAGS & frozenset(value.split(",")) for value in (seen, wanted)]
    return flags[0] == flags[1] and cpus_of_argument(seen, highest) == cpus_of_argument(wanted, highest)


def _value(setting: Sysctl | SysfsValue, highest: int, facts: Facts) -> Finding:
    check, path, seen = f"setting.{setting.key}", setting.path, facts.text(setting.path)
    sets = {"expected": setting.value, "observed": seen or "", "why": setting.why}
    if seen is None:
        if path in facts.absent:
            return violated(check, "value_absent", f"{path} does not exist", **sets)
        if path in facts.unreadable:
            return unverifiable(check, "not_readable", f"{path}: {facts.unreadable[path]}", **sets)
        return unverifiable(check, "not_read", f"{path} is not in the host's answer", **sets)
    if not _same(setting.compare, setting.value, seen, highest):
        return violated(check, "value_differs", f"{path} is {seen[:80]}, planned is {setting.value}", **sets)
    return ok(check, f"{path} is {setting.value}", **sets)


def _same(compare: str, wanted: str, seen: str, highest: int) -> bool:
    match compare:
        case "cpulist":
            return cpus_of_list(seen, highest) == cpus_of_list(wanted, highest)
        case "cpumask":
            return cpus_of_mask(seen) == cpus_of_mask(wanted)
        case "choice":
            return choice_of(seen) == wanted
        case _:
            return seen.split() == wanted.split()


def irqs_outside(check: str, why: str, isolated: Cpus, facts: Facts) -> Finding:
    """No interrupt in use is routed to an isolated CPU; where it really goes is its *effective* affinity."""
    if covered := facts.covered("/proc/interrupts"):
        return unverifiable(check, "not_procfs", covered, why=why)
    names = facts.interrupts
    routed = {
        int(number): cpus_of_list(cpus)
        for number, cpus in facts.under("/proc/irq/", "/effective_affinity_list").items()
        if number.isdigit() and int(number) in names
    }
    if not names or names.keys() - routed.keys():
        unknown = sorted(names.keys() - routed.keys())
        return unverifiable(
            check, "not_read", f"the route of interrupts {unknown or 'all'} is not known", why=why
        )
    there = sorted(irq for irq, cpus in routed.items() if cpus & isolated)
    wrong = [
        f"{irq} ({names[irq]}) -> CPU {list_of(routed[irq])}" for irq in there if not managed(names[irq])
    ]
    if wrong:
        message = f"{len(wrong)} interrupts go to isolated CPUs: {'; '.join(wrong[:8])}"
        return violated(check, "irq_on_isolated", message, expected="none", observed=str(len(wrong)), why=why)
    said = f"{len(routed)} interrupts, none goes to an isolated CPU"
    if there:
        said += f" but the managed queues {there}, which fire only for I/O that starts there"
    return ok(check, said, expected="none", why=why)


def managed(name: str) -> bool:
    """A block queue's own interrupt: the kernel owns its affinity, user space cannot move it.

    It fires only for I/O that its CPU submitted, which the measured device interrupts hold to zero.
    """
    return bool(re.search(r"(^|\s)(virtio\d+-req\.\d+|nvme\d+q[1-9]\d*)$", name))


def kthreads_outside(check: str, why: str, isolated: Cpus, facts: Facts) -> Finding:
    """No movable kernel thread may run on an isolated CPU; the per-CPU ones belong there."""
    kernel = [task for task in facts.tasks if task.kernel]
    if not kernel:
        return unverifiable(check, "not_read", "no kernel thread is visible", why=why)
    wrong = [
        f"{task.name} on {list_of(task.allowed)}"
        for task in kernel
        if task.movable and task.allowed & isolated and not _per_cpu(task.comm, task.allowed)
        if not _serves_managed(task.comm, facts)
    ]
    if wrong:
        message = f"{len(wrong)} movable kernel threads may run there: {', '.join(wrong[:8])}"
        return violated(
            check, "kthread_on_isolated", message, expected="none", observed=str(len(wrong)), why=why
        )
    return ok(check, "no movable kernel thread may run on isolated CPUs", expected="none", why=why)


def _serves_managed(comm: str, facts: Facts) -> bool:
    """On PREEMPT_RT each interrupt has a thread that follows it: `irq/29-virtio0-req.2`."""
    match = re.match(r"irq/(\d+)-", comm)
    return match is not None and managed(facts.interrupts.get(int(match[1]), ""))


def _per_cpu(comm: str, allowed: Cpus) -> bool:
    number = comm.rpartition("/")[2]
    return number.isdigit() and allowed == {int(number)}


def _slice(setting: SliceCpus, wanted: Cpus, facts: Facts) -> Finding:
    check = f"setting.{setting.key}"
    path = f"/sys/fs/cgroup/{cgroup_of_slice(setting.slice)}/cpuset.cpus.effective"
    seen = facts.text(path)
    where = "uses"
    if seen is None:  # nothing runs there now: what systemd would give it
        seen, where = facts.units.get(setting.slice, {}).get("AllowedCPUs"), "is set to"
    sets = {"expected": list_of(wanted), "observed": seen or "", "why": setting.why}
    if seen is None:
        return unverifiable(check, "not_read", f"the CPUs of {setting.slice} are not known", **sets)
    if cpus_of_list(seen) != wanted:
        message = f"{setting.slice} {where} CPUs {seen or 'of its parent'}, planned are {list_of(wanted)}"
        return violated(check, "slice_cpus_differ", message, **sets)
    return ok(check, f"{setting.slice} {where} CPUs {seen}", **sets)


def cgroup_of_slice(name: str) -> str:
    """`hft-engine.slice` lies in `hft.slice` (systemd.slice(5): a dash is a level)."""
    stem, _, kind = name.rpartition(".")
    if kind != "slice":
        return name
    parts = stem.split("-")
    return "/".join(f"{'-'.join(parts[: depth + 1])}.slice" for depth in range(len(parts)))


def _pid1(setting: Pid1Affinity, wanted: Cpus, facts: Facts) -> Finding:
    check = f"setting.{setting.key}"
    first = next((task for task in facts.tasks if task.tid == 1), None)
    if first is None:
        return unverifiable(check, "not_read", "process 1 is not visible", why=setting.why)
    sets = {"expected": list_of(wanted), "observed": list_of(first.allowed), "why": setting.why}
    if not first.allowed <= wanted:
        message = f"process 1 may run on CPUs {list_of(first.allowed)}, planned are {list_of(wanted)}"
        return violated(check, "value_differs", message, **sets)
    return ok(check, f"process 1 runs on CPUs {list_of(first.allowed)}", **sets)


def _unit(setting: UnitWish, facts: Facts) -> Finding:
    check, seen = f"setting.{setting.key}", facts.units.get(setting.unit)
    if seen is None or "ActiveState" not in seen:
        return unverifiable(check, "not_read", f"the state of {setting.unit} is not known", why=setting.why)
    enabled, active = (
        seen.get("UnitFileState", ""),
        seen["ActiveState"] in ("active", "activating", "reloading"),
    )
    accepted = {
        "masked": ("masked", ""),  # a unit that is not installed has no state and cannot start either
        "disabled": ("disabled", "masked", ""),
        "enabled": ("enabled", "static", "generated"),
        None: (enabled,),
    }[setting.enabled]
    observed = f"{enabled or seen.get('LoadState', 'not installed')}, {'started' if active else 'stopped'}"
    sets = {"expected": setting.value, "observed": observed, "why": setting.why}
    if enabled not in accepted or (setting.active is not None and active is not setting.active):
        return violated(
            check, "unit_state_differs", f"{setting.unit} is {observed}, planned is {setting.value}", **sets
        )
    return ok(check, f"{setting.unit} is {observed}", **sets)
