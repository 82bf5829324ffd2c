"""What the facts script would read of a made host after its plan was applied, for the checks to judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checks.facts import Facts
from checks.mounts import TABLE as MOUNTS
from checks.reading import Task, cpus_of_list
from tests.cases.machines import THREADS, tuned
from tuning.plan.plan import Plan
from tuning.plan.setting import IrqPlacement, KthreadPriority, NicParameter, SliceCpus, UnitState
from tuning.snapshot.files import Snapshot

MOUNTED = """\
22 1 0:21 / /proc rw - proc proc rw
23 1 0:22 / /sys rw - sysfs sysfs rw
24 23 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
25 23 0:24 / /sys/kernel/debug rw - debugfs debugfs rw
26 1 0:25 / / rw - ext4 /dev/sda1 rw
"""
IRQ = "/proc/irq/24"


def facts_of(seen: Snapshot, made: Plan) -> Facts:
    """What the facts script would read of the tuned host."""
    after = tuned(seen, made)
    files = {path: text for path, text in after.files.items() if text is not None and path.count("/") > 1}
    files[MOUNTS] = MOUNTED
    files["/proc/interrupts"] = "      CPU0\n 24:     7  IR-PCI-MSI  eth0-rx-0\n"
    for port in ("ens1f0", "enp1s2"):
        files[f"/sys/class/net/{port}/device/msi_irqs/24"] = "msix"
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
    loaded = {"masked": "masked", "enabled": "loaded", "disabled": "loaded"}
    units = {
        one.unit: {
            "Id": one.unit,
            "LoadState": loaded[one.enabled or ""],
            "ActiveState": "active" if one.active else "inactive",
            "UnitFileState": one.enabled or "",
        }
        for one in made.settings
        if isinstance(one, UnitState)
    }
    gone = frozenset({"/run/hft/irqs.json"})
    running = tuple(tasks(made))
    nics = {
        (one.device, one.knob): one.value.replace(" ", ",")
        for one in made.settings
        if isinstance(one, NicParameter)
    }
    return Facts(files=files, absent=gone, units=units, tasks=running, listed=len(running), nics=nics)


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
    for setting in made.settings:
        if isinstance(setting, KthreadPriority):
            tid, comm, flags = THREADS[setting.threads]
            kernel = Task(pid=tid, tid=tid, comm=comm, flags=flags, last_cpu=0, allowed=house, cgroup="/")
            yield replace(kernel, policy=1, priority=setting.priority)
