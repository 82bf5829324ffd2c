"""Sysctls: the table of what is set and why; the capture reads exactly these names.

`{housekeeping}` in a value stands for the housekeeping CPUs as a list. Rows that depend on the profile or on
the partition are decided in `wish_sysctls`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.refusal import Code
from tuning.setting import Compare, Sysctl

if TYPE_CHECKING:
    from tuning.wishes import Wishes

VM = "Documentation/admin-guide/sysctl/vm.rst"
KERNEL = "Documentation/admin-guide/sysctl/kernel.rst"
NET = "Documentation/admin-guide/sysctl/net.rst"
BUSY_POLL_MODE = "kernel_busy_poll"
BUSY_POLL_NAMES = ("net.core.busy_poll", "net.core.busy_read")


@dataclass(frozen=True, slots=True)
class Row:
    """One sysctl."""

    key: str
    value: str
    why: str
    risk: str
    source: str
    absent_because: str
    compare: Compare = "text"


TABLE: tuple[Row, ...] = (
    Row(
        "kernel.nmi_watchdog",
        "0",
        "no periodic NMI on hot CPUs",
        "a hard lockup is found by the hardware watchdog only",
        KERNEL,
        "the kernel has no lockup detector",
    ),
    Row(
        "kernel.numa_balancing",
        "0",
        "no page is unmapped to see who touches it: each costs the engine a fault",
        "memory placed on the wrong node stays there",
        KERNEL,
        "the kernel is built without NUMA balancing, as PREEMPT_RT kernels are",
    ),
    Row(
        "kernel.sched_rt_runtime_us",
        "-1",
        "a real-time thread that spins is not taken off its CPU for 50 ms in every second",
        "a runaway real-time thread on a housekeeping CPU can hang the host",
        "Documentation/scheduler/sched-rt-group.rst",
        "the kernel does not throttle real-time threads this way",
    ),
    Row(
        "kernel.timer_migration",
        "1",
        "timers armed on idle isolated CPUs go to housekeeping CPUs",
        "none known",
        KERNEL,
        "the kernel has no timer migration",
    ),
    Row(
        "kernel.watchdog_cpumask",
        "{housekeeping}",
        "the soft watchdog keeps watching housekeeping CPUs and leaves hot ones alone",
        "a soft lockup of a hot CPU is not reported",
        KERNEL,
        "the kernel has no lockup detector",
        "cpulist",
    ),
    Row(
        "net.core.busy_poll",
        "50",
        "poll(2) and select(2) look at the device queue themselves for 50 us before they sleep",
        "CPU time of threads that would sleep",
        NET,
        "the kernel is built without busy polling, as PREEMPT_RT kernels are",
    ),
    Row(
        "net.core.busy_read",
        "50",
        "a blocking read looks at the device queue itself for 50 us before it sleeps",
        "CPU time of threads that would sleep",
        NET,
        "the kernel is built without busy polling, as PREEMPT_RT kernels are",
    ),
    Row(
        "vm.compact_unevictable_allowed",
        "0",
        "compaction leaves locked memory alone: moving it is a fault in the engine",
        "hugepages are harder to get later",
        VM,
        "the kernel has no memory compaction",
    ),
    Row(
        "vm.compaction_proactiveness",
        "0",
        "kcompactd does not wake twice a second to move pages",
        "hugepages are harder to get later; the pool is reserved at boot",
        VM,
        "the kernel has no proactive compaction",
    ),
    Row(
        "vm.dirty_background_ratio",
        "3",
        "writeback starts early and in small pieces",
        "less write merging",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.dirty_ratio",
        "10",
        "no writer is stopped behind a large backlog",
        "writers are throttled earlier",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.stat_interval",
        "120",
        "statistics of each CPU are folded every two minutes, not every second: no worker on hot CPUs",
        "/proc/vmstat is up to two minutes old",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.swappiness",
        "10",
        "file pages go before anonymous memory",
        "less page cache under pressure",
        VM,
        "the kernel has no swap",
    ),
    Row(
        "vm.watermark_boost_factor",
        "0",
        "reclaim is not boosted after fragmentation events",
        "memory fragments faster",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.zone_reclaim_mode",
        "0",
        "an allocation takes memory of another node rather than stall to reclaim its own",
        "memory may be remote when a node is full",
        VM,
        "the kernel has no NUMA",
    ),
)
SYSCTL_NAMES: tuple[str, ...] = tuple(row.key for row in TABLE)


def wish_sysctls(wishes: Wishes) -> None:
    """Every row of the table that applies."""
    mode = wishes.profile.io_mode
    for row in TABLE:
        if row.key in BUSY_POLL_NAMES and mode != BUSY_POLL_MODE:
            reason = f"I/O mode {mode} does not let the kernel poll for sockets"
            wishes.refuse(row.key, Code.NOT_APPLICABLE_PROFILE, reason)
            continue
        setting = _sysctl(row, wishes)
        wishes.add_if_present(setting, setting.path, row.absent_because)


def _sysctl(row: Row, wishes: Wishes) -> Sysctl:
    housekeeping = wishes.partition.cpus_of("housekeeping", "irq", "ptp").list_text()
    why = row.why
    if row.key == "vm.compaction_proactiveness":
        closed = _closed_nodes(wishes)
        if closed:
            why += (
                f"; needed here, every CPU of NUMA node {closed} is isolated and its kcompactd has no other"
            )
    return Sysctl(
        key=row.key,
        value=row.value.replace("{housekeeping}", housekeeping),
        compare=row.compare,
        mode="safe",
        risk=row.risk,
        source=row.source,
        why=why,
    )


def _closed_nodes(wishes: Wishes) -> str:
    """NUMA nodes with memory that keep no housekeeping CPU."""
    isolated = wishes.partition.cpus_of("poll", "engine", "spare")
    nodes = [node for node in wishes.topology.nodes if node.cpus and node.memory_bytes != 0]
    return ", ".join(str(node.number) for node in nodes if node.cpus <= isolated)
