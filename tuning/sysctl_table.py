"""Sysctls: what is set, why, at what risk and after which source; the capture reads exactly these names.

`{housekeeping}` in a value stands for the housekeeping CPUs as a list; `{busy_poll_us}` and
`{timer_migration}` for what the I/O modes of the host say (tuning/plan/io_mode.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VM = "Documentation/admin-guide/sysctl/vm.rst"
KERNEL = "Documentation/admin-guide/sysctl/kernel.rst"
NET = "Documentation/admin-guide/sysctl/net.rst"
BUSY_POLL_NAMES = ("net.core.busy_poll", "net.core.busy_read")
JIT = "net.core.bpf_jit_enable"


@dataclass(frozen=True, slots=True)
class Row:
    """One sysctl."""

    key: str
    value: str
    why: str
    risk: str
    source: str
    absent_because: str
    compare: Literal["text", "cpulist", "cpumask", "choice"] = "text"


TABLE: tuple[Row, ...] = (
    Row(
        "kernel.hung_task_timeout_secs",
        "600",
        "a thread that waits behind a spinning one is not reported every two minutes, a page on the console",
        "a hung thread is reported later",
        KERNEL,
        "the kernel does not look for hung tasks",
    ),
    Row(
        "kernel.nmi_watchdog",
        "0",
        "no periodic NMI on hot CPUs",
        "only the hardware watchdog detects a hard lockup",
        KERNEL,
        "the kernel has no lockup detector",
    ),
    Row(
        "kernel.numa_balancing",
        "0",
        "no page is unmapped to sample its users: each such page costs the engine a fault",
        "memory allocated on the wrong node stays there",
        KERNEL,
        "the kernel is built without NUMA balancing, as PREEMPT_RT kernels are",
    ),
    Row(
        "kernel.panic",
        "10",
        "a host whose kernel panicked restarts and is seen to be gone, as failover expects",
        "the console shows the last words for 10 s only",
        KERNEL,
        "the kernel has no such knob",
    ),
    Row(
        "kernel.panic_on_oops",
        "1",
        "a kernel that went wrong does not go on trading: it stops, and failover takes over",
        "a fault in any driver restarts the host",
        KERNEL,
        "the kernel has no such knob",
    ),
    Row(
        "kernel.sched_autogroup_enabled",
        "0",
        "threads of one login are not weighed against each other as a group",
        "an interactive login is no longer favoured under load",
        "Documentation/scheduler/sched-design-CFS.rst",
        "the kernel is built without automatic groups",
    ),
    Row(
        "kernel.sched_rt_runtime_us",
        "-1",
        "a spinning real-time thread is not throttled for 50 ms in every second",
        "a runaway real-time thread on a housekeeping CPU can hang the host",
        "Documentation/scheduler/sched-rt-group.rst",
        "the kernel has no real-time throttling",
    ),
    Row(
        "kernel.timer_migration",
        "{timer_migration}",
        "timers of sockets are queued on housekeeping CPUs; a mode without sockets of the kernel looks for no"
        " other CPU when it arms one",
        "none known",
        KERNEL,
        "the kernel has no timer migration",
    ),
    Row(
        "kernel.watchdog_cpumask",
        "{housekeeping}",
        "the soft-lockup watchdog covers housekeeping CPUs and leaves hot ones alone",
        "a soft lockup of a hot CPU is not reported",
        KERNEL,
        "the kernel has no lockup detector",
        "cpulist",
    ),
    Row(
        "net.core.bpf_jit_enable",
        "1",
        "an XDP program runs as machine code, once for every frame",
        "none known",
        NET,
        "the kernel is built without the BPF compiler",
    ),
    Row(
        "net.core.busy_poll",
        "{busy_poll_us}",
        "poll(2) and select(2) busy-poll the device queue for 50 us before they sleep",
        "CPU time of threads that would sleep",
        NET,
        "the kernel is built without busy polling, as PREEMPT_RT kernels are",
    ),
    Row(
        "net.core.busy_read",
        "{busy_poll_us}",
        "a blocking read busy-polls the device queue for 50 us before it sleeps",
        "CPU time of threads that would sleep",
        NET,
        "the kernel is built without busy polling, as PREEMPT_RT kernels are",
    ),
    Row(
        "vm.compact_unevictable_allowed",
        "0",
        "compaction leaves locked memory alone: migrating a page costs the engine a fault",
        "hugepages are harder to get later",
        VM,
        "the kernel has no memory compaction",
    ),
    Row(
        "vm.compaction_proactiveness",
        "0",
        "kcompactd does not wake twice a second to migrate pages",
        "hugepages are harder to get later; the pool is reserved at boot",
        VM,
        "the kernel has no proactive compaction",
    ),
    Row(
        "vm.dirty_background_ratio",
        "3",
        "writeback starts early and in small batches",
        "less write merging",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.dirty_ratio",
        "10",
        "no writer blocks behind a large backlog",
        "writers are throttled earlier",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.stat_interval",
        "120",
        "per-CPU statistics are folded every two minutes, not every second: fewer vmstat workers on hot CPUs",
        "/proc/vmstat may be two minutes out of date",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.swappiness",
        "10",
        "page cache is reclaimed before anonymous memory",
        "less page cache under pressure",
        VM,
        "the kernel has no swap",
    ),
    Row(
        "vm.watermark_boost_factor",
        "0",
        "kswapd does not reclaim extra memory after fragmentation events",
        "memory fragments faster",
        VM,
        "the kernel has no such knob",
    ),
    Row(
        "vm.zone_reclaim_mode",
        "0",
        "an allocation takes memory of another node rather than stall in local reclaim",
        "memory may be remote when a node is full",
        VM,
        "the kernel has no NUMA",
    ),
)
SYSCTL_NAMES: tuple[str, ...] = tuple(row.key for row in TABLE)


def sysctl_path(key: str) -> str:
    """Where the kernel shows a sysctl: sysctl(8) writes a dot for each slash below /proc/sys."""
    return "/proc/sys/" + key.replace(".", "/")
