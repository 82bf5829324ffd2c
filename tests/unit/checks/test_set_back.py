"""Each row of the master table is set back on a made host, alone; the check of that row names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from checks.expected import Expected, read_plan
from checks.facts import Facts
from checks.mounts import TABLE as MOUNTS
from checks.reading import Task, cpus_of_list
from checks.settings import setting_findings
from checks.verdict import Verdict
from tests.cases.machines import tuned
from tests.support.settings_page import plans, stem_of
from tuning.plan.master_table import TABLE
from tuning.plan.plan import Plan
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)
from tuning.snapshot.files import Snapshot
from tuning.units import ENGINE_SLICE

MOUNTED = """\
22 1 0:21 / /proc rw - proc proc rw
23 1 0:22 / /sys rw - sysfs sysfs rw
24 23 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
25 23 0:24 / /sys/kernel/debug rw - debugfs debugfs rw
26 1 0:25 / / rw - ext4 /dev/sda1 rw
"""
IRQ = "/proc/irq/24"


@cache
def cases() -> dict[str, tuple[Snapshot, Plan, Setting]]:
    """Each row once, with a host and a plan that have it."""
    found: dict[str, tuple[Snapshot, Plan, Setting]] = {}
    for seen, made in plans():
        for setting in made.settings:
            found.setdefault(stem_of(setting.key), (seen, made, setting))
    return found


def facts_of(seen: Snapshot, made: Plan) -> Facts:
    """What the facts script would read of the tuned host."""
    after = tuned(seen, made)
    files = {path: text for path, text in after.files.items() if text is not None and path.count("/") > 1}
    files[MOUNTS] = MOUNTED
    files["/proc/interrupts"] = "      CPU0\n 24:     7  IR-PCI-MSI  eth0-rx-0\n"
    files["/sys/class/net/ens1f0/device/msi_irqs/24"] = "msix"
    for setting in made.settings:
        match setting:
            case IrqPlacement() if setting.device:
                files[f"{IRQ}/smp_affinity_list"] = str(setting.cpus)
                files[f"{IRQ}/effective_affinity_list"] = str(setting.cpus.first())
            case SliceCpus():
                files[f"{group(setting)}/cpuset.cpus.effective"] = str(setting.cpus)
            case _:
                continue
    files["/sys/kernel/irq/25/actions"] = ""
    units = {
        one.unit: {
            "Id": one.unit,
            "LoadState": "masked",
            "ActiveState": "inactive",
            "UnitFileState": "masked",
        }
        for one in made.settings
        if isinstance(one, UnitState)
    }
    gone = frozenset({"/run/hft/irqs.json"})
    return Facts(files=files, absent=gone, units=units, tasks=tuple(tasks(made)), listed=4)


def group(setting: SliceCpus) -> str:
    """The control group of a slice, or of a service in its slice."""
    parent = "hft.slice/" if setting.slice.startswith("hft-") else ""
    return f"/sys/fs/cgroup/{parent}{setting.slice}"


def tasks(made: Plan) -> Iterator[Task]:
    """PID 1, kthreadd, a thread that can move, and a clock daemon's."""
    house = cpus_of_list(str(made.housekeeping))
    clock = cpus_of_list(str(made.cpus_of("ptp"))) if made.cpus_of("ptp") else house
    for tid, comm, flags, cgroup, cpus in (
        (1, "systemd", 0, "/init.scope", house),
        (2, "kthreadd", 0x200000, "/", house),
        (36, "kcompactd0", 0x200000, "/", house),
        (77, "chronyd", 0, "/system.slice/chrony.service", clock),
    ):
        yield Task(pid=tid, tid=tid, comm=comm, flags=flags, last_cpu=0, allowed=cpus, cgroup=cgroup)


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
        case SliceCpus() if setting.slice.endswith(".service"):
            free = (replace(one, allowed=everything) if one.tid == 77 else one for one in facts.tasks)
            return replace(facts, tasks=tuple(free))
        case SliceCpus():
            wide = made.isolated if setting.slice != ENGINE_SLICE else made.housekeeping
            files[f"{group(setting)}/cpuset.cpus.effective"] = str(wide)
        case UnitState():
            running = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
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
