"""Placement at run time: interrupts, kernel threads, workqueues, slices, PID 1 and the units that disturb.

The command line sets most of it at boot; these settings hold it afterwards, against drivers that choose anew
at every link-up and against people. irqbalance is masked even where it is not installed, because a package
that is pulled in later starts it.
"""

from __future__ import annotations

from tuning.refusal import Code
from tuning.setting import IrqPlacement, KthreadPlacement, Pid1Affinity, SliceCpus, SysfsValue, UnitWish
from tuning.units import DISTURBING_UNITS, ENGINE_SLICE, INIT_SCOPE, IRQBALANCE, MONITORING_SLICE
from tuning.wishes import Wishes

WORKQUEUE = "/sys/devices/virtual/workqueue/cpumask"
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
GOVERNOR = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
RESOURCE_CONTROL = "systemd.resource-control(5)"

# Why each unit is stopped. logrotate, tmpfiles and dpkg's backup stay: small, bounded, and needed.
UNIT_WHYS: dict[str, tuple[str, str]] = {
    "apt-daily.timer": (
        "downloads package lists at a random time",
        "security updates come by a planned rollout",
    ),
    "apt-daily-upgrade.timer": (
        "upgrades packages and restarts services at a random time",
        "security updates come by a planned rollout",
    ),
    "e2scrub_all.timer": ("scans whole file systems", "file systems are not scrubbed by themselves"),
    "fstrim.timer": ("discards stall some disks for seconds", "free blocks are not given back to the disk"),
    "fwupd-refresh.timer": ("talks to firmware, which can raise SMIs", "firmware news come by hand"),
    "man-db.timer": ("rebuilds an index of the whole disk", "the manual index may be old"),
    "packagekit.service": ("may install packages for a desktop", "no package changes by desktop tools"),
    "unattended-upgrades.service": (
        "upgrades packages and may reboot",
        "security updates come by a planned rollout",
    ),
}


def wish_placement(wishes: Wishes) -> None:
    """Everything that is placed or stopped."""
    _interrupts(wishes)
    _kernel_threads(wishes)
    _slices(wishes)
    _units(wishes)
    _clock_and_power(wishes)


def _interrupts(wishes: Wishes) -> None:
    housekeeping = wishes.partition.cpus_of("housekeeping", "irq", "ptp")
    source = "Documentation/core-api/irq/irq-affinity.rst"
    wishes.add(
        SysfsValue(
            key="irq.default_affinity",
            path="/proc/irq/default_smp_affinity",
            value=housekeeping.mask_text(),
            compare="cpumask",
            mode="safe",
            risk="none known",
            source=source,
            why="interrupts that a driver asks for later start on housekeeping CPUs",
        )
    )
    wishes.add(
        IrqPlacement(
            key="irq.placement",
            cpus=housekeeping,
            mode="safe",
            risk="interrupts that the kernel manages cannot be moved and are left to isolcpus=managed_irq",
            source=source,
            why="no device interrupts a hot CPU",
        )
    )
    wishes.add(
        UnitWish(
            key=f"unit.{IRQBALANCE}",
            unit=IRQBALANCE,
            enabled="masked",
            active=False,
            mode="disruptive",
            risk="interrupt load stays where it is placed",
            source="irqbalance(1)",
            why="it moves interrupts by its own idea every ten seconds",
        )
    )


def _kernel_threads(wishes: Wishes) -> None:
    housekeeping = wishes.partition.cpus_of("housekeeping", "irq", "ptp")
    source = "Documentation/admin-guide/kernel-per-CPU-kthreads.rst"
    wishes.add(
        KthreadPlacement(
            key="kthread.placement",
            cpus=housekeeping,
            mode="safe",
            risk="none known; threads bound to one CPU by the kernel stay there",
            source=source,
            why="kernel threads that may move, RCU's and each node's own among them, leave hot CPUs alone",
        )
    )
    wishes.add_if_present(
        SysfsValue(
            key="workqueue.cpumask",
            path=WORKQUEUE,
            value=housekeeping.mask_text(),
            compare="cpumask",
            mode="disruptive",
            risk="writing it while trading has been seen to stall the network for seconds",
            source="Documentation/core-api/workqueue.rst",
            why="unbound work runs on housekeeping CPUs",
        ),
        WORKQUEUE,
        "this kernel does not show workqueues in sysfs",
    )


def _slices(wishes: Wishes) -> None:
    housekeeping = wishes.partition.cpus_of("housekeeping", "irq", "ptp")
    isolated = wishes.partition.cpus_of("poll", "engine", "spare")
    whys = {
        INIT_SCOPE: (
            housekeeping,
            "PID 1 stays on housekeeping CPUs: once slices have CPUs of their own, the kernel puts a control"
            " group without any back on all of them, whatever CPUAffinity= says",
        ),
        "system.slice": (housekeeping, "services stay on housekeeping CPUs, whatever affinity they ask for"),
        "user.slice": (housekeeping, "logins stay on housekeeping CPUs, whatever affinity they ask for"),
        MONITORING_SLICE: (housekeeping, "collectors never share a CPU with the engine"),
        ENGINE_SLICE: (
            isolated | wishes.partition.cpus_of("housekeeping"),
            "hot threads get isolated CPUs, one each, from their own unit; a process has one control group,"
            " so the engine's other threads need housekeeping CPUs in it too",
        ),
    }
    for name, (cpus, why) in whys.items():
        wishes.add(
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
    wishes.add(
        Pid1Affinity(
            key="pid1.affinity",
            cpus=housekeeping,
            mode="boot",
            risk="none known",
            source="systemd-system.conf(5)",
            why="systemd and everything it starts begin on housekeeping CPUs",
        )
    )


def _units(wishes: Wishes) -> None:
    for unit in DISTURBING_UNITS:
        why, risk = UNIT_WHYS[unit]
        wishes.add_if_present(
            UnitWish(
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


def _clock_and_power(wishes: Wishes) -> None:
    topology = wishes.topology
    if topology.has_invariant_tsc:
        wishes.add(
            SysfsValue(
                key="clock.source",
                path=CLOCKSOURCE,
                value="tsc",
                mode="safe",
                risk="none known: the TSC is invariant",
                source="Documentation/timers/timekeeping.rst",
                why="reading the time costs no exit and no device access",
            )
        )
    else:
        reason = "the TSC is not known to be invariant; the kernel's own choice stays"
        wishes.refuse("clock.source", Code.NOT_APPLICABLE_ABSENT, reason)
    isolated = wishes.partition.cpus_of("poll", "engine", "spare")
    scaled = isolated & topology.performance_governor
    if not scaled:
        reason = "no isolated CPU is known to have a performance governor"
        code = Code.NOT_APPLICABLE_VIRTUAL if topology.is_virtual else Code.NOT_APPLICABLE_ABSENT
        wishes.refuse("power.governor", code, reason)
    for cpu in scaled:
        wishes.add(
            SysfsValue(
                key=f"power.governor.cpu{cpu}",
                path=GOVERNOR.format(cpu),
                value="performance",
                mode="safe",
                risk="more power and heat",
                source="Documentation/admin-guide/pm/cpufreq.rst",
                why="a hot CPU does not change its frequency while it works",
            )
        )
