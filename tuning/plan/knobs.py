"""Knobs of /sys that are one file for the whole host, or one for each isolated CPU.

Each is a row: where it is, what it is set to and why. `{housekeeping}` stands for the mask of the
housekeeping CPUs. A file that the host does not have is refused by name, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuning.plan.builder import PlanBuilder
from tuning.plan.refusal import Code
from tuning.plan.setting import Compare, Mode, SysfsValue
from tuning.topology.reader import FAIR_SERVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One file of /sys."""

    key: str
    path: str
    value: str
    why: str
    risk: str
    source: str
    absent_because: str
    mode: Mode = "safe"
    compare: Compare = "text"


KNOBS: tuple[Knob, ...] = (
    Knob(
        key="workqueue.writeback",
        path="/sys/devices/virtual/workqueue/writeback/cpumask",
        value="{housekeeping}",
        compare="cpumask",
        mode="disruptive",
        why="dirty pages are written by housekeeping CPUs, whatever CPU dirtied them",
        risk="writing it while trading has stalled the network for seconds",
        source="Documentation/core-api/workqueue.rst",
        absent_because="this kernel does not show the writeback workqueue in sysfs",
    ),
    Knob(
        key="memory.khugepaged_defrag",
        path="/sys/kernel/mm/transparent_hugepage/khugepaged/defrag",
        value="0",
        why="khugepaged does not compact memory to make a page",
        risk="none known: transparent hugepages are off",
        source="Documentation/admin-guide/mm/transhuge.rst",
        absent_because="a kernel without transparent hugepages, as PREEMPT_RT kernels are",
    ),
    Knob(
        key="machinecheck.check_interval",
        path="/sys/devices/system/machinecheck/machinecheck0/check_interval",
        value="0",
        why="no CPU is stopped every few minutes to poll its error banks; what the hardware reports by itself"
        " still comes as an interrupt",
        risk="corrected errors of hardware without such an interrupt (CMCI) are not counted: watch EDAC",
        source="Documentation/arch/x86/x86_64/machinecheck.rst",
        absent_because="the processor shows no machine-check banks",
    ),
)


def plan_knobs(builder: PlanBuilder) -> None:
    """Every row that applies, and the fair server of the isolated CPUs."""
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp").mask_text()
    for knob in KNOBS:
        value = SysfsValue(
            key=knob.key,
            path=knob.path,
            value=knob.value.replace("{housekeeping}", housekeeping),
            compare=knob.compare,
            mode=knob.mode,
            why=knob.why,
            risk=knob.risk,
            source=knob.source,
        )
        builder.add_if_present(value, knob.path, knob.absent_because)
    _fair_server(builder)


def _fair_server(builder: PlanBuilder) -> None:
    """From 6.12 ordinary threads get 50 ms of every second, whatever kernel.sched_rt_runtime_us says."""
    isolated = builder.partition.cpus_of("poll", "engine", "spare")
    shown = isolated & builder.topology.fair_server
    if builder.topology.kernel_at_least(6, 12) and not shown:
        builder.refuse(
            "sched.fair_server",
            Code.NOT_APPLICABLE_ABSENT,
            "the fair server of this kernel is not shown: debugfs is not mounted or locked down; it gives"
            " ordinary threads 50 ms in a second on a CPU where a real-time thread spins, so that none may be"
            " runnable there",
        )
    for cpu in shown:
        builder.add(
            SysfsValue(
                key=f"sched.fair_server.cpu{cpu}",
                path=FAIR_SERVER.format(cpu),
                value="0",
                mode="safe",
                why="a spinning real-time thread is not stopped for 50 ms in every second",
                risk="an ordinary thread that is bound to this CPU waits for ever",
                source="Documentation/scheduler/sched-deadline.rst",
            )
        )
