"""Names of the sysctls that a plan may set; the capture reads exactly these.

Values and reasons live in tuning.memory and tuning.kernel; a test holds that no family sets a sysctl that the
capture does not read.
"""

SYSCTL_NAMES: tuple[str, ...] = (
    "kernel.hung_task_timeout_secs",
    "kernel.nmi_watchdog",
    "kernel.numa_balancing",
    "kernel.perf_cpu_time_max_percent",
    "kernel.sched_rt_runtime_us",
    "kernel.timer_migration",
    "kernel.watchdog",
    "kernel.watchdog_cpumask",
    "net.core.busy_poll",
    "net.core.busy_read",
    "vm.compact_unevictable_allowed",
    "vm.compaction_proactiveness",
    "vm.dirty_background_ratio",
    "vm.dirty_ratio",
    "vm.stat_interval",
    "vm.swappiness",
    "vm.watermark_boost_factor",
    "vm.zone_reclaim_mode",
)
