"""Run-time placement: interrupts, kernel threads, workqueues, slices, PID 1, and units that cause jitter.

The command line sets most of it at boot; these settings enforce it afterwards, against drivers that reset
affinities at every link-up and against manual changes. irqbalance is masked even where it is not installed,
because a package pulled in later would start it.
"""

from __future__ import annotations

import re

from tuning.plan.builder import PlanBuilder
from tuning.plan.ports import management_of
from tuning.plan.refusal import Code
from tuning.plan.setting import IrqPlacement, KthreadPlacement, Pid1Affinity, SliceCpus, SysfsValue, UnitState
from tuning.units import (
    CLOCK_DAEMONS,
    DISTURBING_UNITS,
    ENGINE_SLICE,
    INIT_SCOPE,
    IRQBALANCE,
    MONITORING_SLICE,
)

WORKQUEUE = "/sys/devices/virtual/workqueue/cpumask"
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
RESOURCE_CONTROL = "systemd.resource-control(5)"

# Impact and risk of each unit. logrotate, tmpfiles and dpkg's backup stay: small, bounded, and needed.
UNIT_WHYS: dict[str, tuple[str, str]] = {
    "apt-daily.timer": (
        "downloads package lists at a random time",
        "security updates must be rolled out on a schedule",
    ),
    "apt-daily-upgrade.timer": (
        "upgrades packages and restarts services at a random time",
        "security updates must be rolled out on a schedule",
    ),
    "e2scrub_all.timer": ("scans whole file systems", "file systems are no longer scrubbed automatically"),
    "fstrim.timer": ("discards stall some disks for seconds", "free blocks are not reported to the disk"),
    "fwupd-refresh.timer": (
        "queries firmware, which can raise SMIs",
        "firmware updates must be checked manually",
    ),
    "man-db.timer": (
        "rebuilds the index of the manual pages",
        "the index of the manual pages may be out of date",
    ),
    "packagekit.service": (
        "may install packages for a desktop",
        "desktop tools can no longer change packages",
    ),
    "unattended-upgrades.service": (
        "upgrades packages and may reboot",
        "security updates must be rolled out on a schedule",
    ),
}


def plan_placement(builder: PlanBuilder) -> None:
    """Every placement, and every unit to be stopped."""
    _interrupts(builder)
    _kernel_threads(builder)
    _slices(builder)
    _clock_daemons(builder)
    _units(builder)
    _clock(builder)


def _interrupts(builder: PlanBuilder) -> None:
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp")
    source = "Documentation/core-api/irq/irq-affinity.rst"
    builder.add(
        SysfsValue(
            key="irq.default_affinity",
            path="/proc/irq/default_smp_affinity",
            value=housekeeping.mask_text(),
            compare="cpumask",
            mode="safe",
            risk="none known",
            source=source,
            why="interrupts requested later start on housekeeping CPUs",
        )
    )
    builder.add(
        IrqPlacement(
            key="irq.placement",
            cpus=housekeeping,
            mode="safe",
            risk="managed interrupts cannot be moved from user space and are left to isolcpus=managed_irq",
            source=source,
            why="no device interrupts a hot CPU",
        )
    )
    _device_interrupts(builder, source)
    builder.add(
        UnitState(
            key=f"unit.{IRQBALANCE}",
            unit=IRQBALANCE,
            enabled="masked",
            active=False,
            mode="disruptive",
            risk="interrupt load is no longer balanced automatically",
            source="irqbalance(1)",
            why="irqbalance re-balances every 10 s and undoes this placement",
        )
    )


def _device_interrupts(builder: PlanBuilder, source: str) -> None:
    """The queues of the hot node's network devices on the cores that have the role `irq`, and on no other.

    The operator's own way to the host is left alone, wherever it is.
    """
    topology, parts = builder.topology, builder.partition
    cpus, management = parts.cpus_of("irq"), management_of(topology, parts.named)
    for nic in topology.nics if cpus else ():
        if nic.node != parts.hot_node or nic.name in management or nic.name.startswith("pci-"):
            continue
        if not re.fullmatch(r"[A-Za-z0-9_.:@+-]+", nic.name):
            reason = "the device's name has characters that no setting may hold"
            builder.refuse("irq.device", Code.NOT_PLANNED, reason)
            continue
        builder.add(
            IrqPlacement(
                key=f"irq.device.{nic.name}",
                cpus=cpus,
                device=nic.name,
                mode="safe",
                risk="those CPUs carry the whole interrupt load of this device",
                source=source,
                why=f"the queues of {nic.name} interrupt the irq cores of its NUMA node {nic.node}, no other",
            )
        )


def _clock_daemons(builder: PlanBuilder) -> None:
    """The daemons that steer a clock on the core that has the role `ptp`."""
    cpus = builder.partition.cpus_of("ptp")
    installed = [unit for unit in CLOCK_DAEMONS if builder.topology.has(f"/lib/systemd/system/{unit}")]
    if cpus and not installed:
        reason = f"no clock daemon is known to be installed: CPUs {cpus} wait for one"
        builder.refuse("clock.daemons", Code.NOT_APPLICABLE_ABSENT, reason)
    for unit in installed if cpus else ():
        if builder.topology.is_cgroup_v2 is False:
            reason = "this host runs control groups of version 1, where a service has no CPUs of its own"
            builder.refuse(f"clock.daemon.{unit}", Code.CGROUP_VERSION, reason)
            continue
        builder.add(
            SliceCpus(
                key=f"clock.daemon.{unit}",
                slice=unit,
                cpus=cpus,
                mode="safe",
                risk="the daemon has this core and no other",
                source=RESOURCE_CONTROL,
                why="it keeps the clock on a core of its own, beside the port that has it",
            )
        )


def _kernel_threads(builder: PlanBuilder) -> None:
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp")
    source = "Documentation/admin-guide/kernel-per-CPU-kthreads.rst"
    builder.add(
        KthreadPlacement(
            key="kthread.placement",
            cpus=housekeeping,
            mode="safe",
            risk="none known; per-CPU kernel threads stay where they are bound",
            source=source,
            why="unbound kernel threads, such as rcuo, kswapd and kcompactd, stay off hot CPUs",
        )
    )
    builder.add_if_present(
        SysfsValue(
            key="workqueue.cpumask",
            path=WORKQUEUE,
            value=housekeeping.mask_text(),
            compare="cpumask",
            mode="disruptive",
            risk="writing it while trading has stalled the network for seconds",
            source="Documentation/core-api/workqueue.rst",
            why="unbound workqueues run on housekeeping CPUs",
        ),
        WORKQUEUE,
        "this kernel does not show workqueues in sysfs",
    )


def _slices(builder: PlanBuilder) -> None:
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp")
    isolated = builder.partition.cpus_of("poll", "engine", "spare")
    whys = {
        INIT_SCOPE: (
            housekeeping,
            "PID 1 stays on housekeeping CPUs: once slices have cpusets of their own, the kernel resets a"
            " cgroup without one to all CPUs, whatever CPUAffinity= says",
        ),
        "system.slice": (housekeeping, "services stay on housekeeping CPUs, whatever affinity they request"),
        "user.slice": (housekeeping, "logins stay on housekeeping CPUs, whatever affinity they request"),
        MONITORING_SLICE: (housekeeping, "collectors never share a CPU with the engine"),
        ENGINE_SLICE: (
            isolated | builder.partition.cpus_of("housekeeping"),
            "hot threads are pinned to isolated CPUs, one each, by their own unit; a process has one cgroup,"
            " so the engine's other threads need housekeeping CPUs in it as well",
        ),
    }
    others = (
        housekeeping,
        "a slice of this host: what runs in it stays on housekeeping CPUs, as services do",
    )
    whys |= dict.fromkeys(builder.topology.slices, others)
    for group in builder.topology.foreign_groups:
        reason = f"the control group /{group} is not systemd's; its CPUs are set by whoever made it"
        builder.refuse(f"slice.{group}", Code.CGROUP_FOREIGN, reason)
    for name, (cpus, why) in whys.items():
        if builder.topology.is_cgroup_v2 is False:
            reason = "this host runs control groups of version 1; hint: systemd.unified_cgroup_hierarchy=1"
            builder.refuse(f"slice.{name}", Code.CGROUP_VERSION, reason)
            continue
        builder.add(
            SliceCpus(
                key=f"slice.{name}",
                slice=name,
                cpus=cpus,
                mode="safe",
                risk="a service pinned to an isolated CPU outside the engine slice loses that CPU",
                source=RESOURCE_CONTROL,
                why=why,
            )
        )
    builder.add(
        Pid1Affinity(
            key="pid1.affinity",
            cpus=housekeeping,
            mode="boot",
            risk="none known",
            source="systemd-system.conf(5)",
            why="systemd and everything it starts run on housekeeping CPUs by default",
        )
    )


def _units(builder: PlanBuilder) -> None:
    for unit in DISTURBING_UNITS:
        why, risk = UNIT_WHYS[unit]
        builder.add_if_present(
            UnitState(
                key=f"unit.{unit}",
                unit=unit,
                enabled="masked",
                active=False,
                mode="safe",
                risk=risk,
                source="systemctl(1)",
                why=f"it {why}, in the middle of a trading day",
            ),
            f"/lib/systemd/system/{unit}",
            "the unit is not installed",
        )


def _clock(builder: PlanBuilder) -> None:
    topology = builder.topology
    if topology.has_invariant_tsc:
        builder.add(
            SysfsValue(
                key="clock.source",
                path=CLOCKSOURCE,
                value="tsc",
                mode="safe",
                risk="none known: the TSC is invariant",
                source="Documentation/timers/timekeeping.rst",
                why="reading the time costs neither a VM exit nor a device access",
            )
        )
    else:
        reason = "the TSC is not known to be invariant; the kernel's own choice stays"
        builder.refuse("clock.source", Code.NOT_APPLICABLE_ABSENT, reason)
