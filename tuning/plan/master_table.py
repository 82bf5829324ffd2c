"""Every tunable of Linux that is known to matter for latency, and what becomes of it: one row, one state.

`effect`: a setting of the plan whose effect a check counts on the isolated CPUs, under that check's name.
`read-back`: a setting whose value is read back and whose effect no count shows, with the reason. `recorded`:
what a capture shows and no plan changes. `refused`: refused by name, with a code. `advice`: left to people,
with the reason. docs/settings.md is this table; a test walks it, so that nothing falls silent: a setting
without a row, or a row without its setting, refusal or reason, fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuning.plan.refusal import Code

State = Literal["effect", "read-back", "recorded", "refused", "advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """One row: `key` of its setting or refusal (`*` for what a host completes), `text` by its state."""

    name: str
    state: State
    key: str = ""
    text: str = ""
    code: Code | None = None


def _effect(key: str, name: str, *judges: str) -> Tunable:
    return Tunable(name=name, state="effect", key=key, text=", ".join(judges))


def _read_back(key: str, name: str, why_no_effect: str) -> Tunable:
    return Tunable(name=name, state="read-back", key=key, text=f"none, because {why_no_effect}")


def _refused(key: str, name: str, code: Code) -> Tunable:
    return Tunable(name=name, state="refused", key=key, code=code)


def _advice(name: str, why: str) -> Tunable:
    return Tunable(name=name, state="advice", text=why)


def _recorded(name: str, where: str) -> Tunable:
    return Tunable(name=name, state="recorded", text=where)


_TICK = "timer_interrupts"
_DEVICE = "device_interrupts"
_MESSAGE = "interprocessor_interrupts"
_OTHER = "other_interrupts"
_SOFTIRQ = "softirqs"
_SWITCH = "involuntary_switches"
_TASK = "foreign_task"
_FAULT = "major_faults"
_GAP = "gap_us"

_NO_SPINNER = "it counts when a real-time thread spins beside them, which a window seldom has"

_PORT = "its interrupts are those of irq cores, and a window without traffic shows nothing of its queues"

_BOND = "it counts when a member loses its link, which a window seldom has"

_LINE = (
    _effect("cmdline.isolcpus", "`isolcpus=domain`", _SWITCH, _TASK),
    _effect("cmdline.isolcpus.managed_irq", "`isolcpus=managed_irq`", _DEVICE),
    _effect("cmdline.nohz_full", "`nohz_full`", _TICK),
    _effect("cmdline.rcu_nocbs", "`rcu_nocbs`", _SOFTIRQ),
    _effect("cmdline.rcu_nocb_poll", "`rcu_nocb_poll`", _MESSAGE),
    _read_back(
        "cmdline.rcutree.kthread_prio",
        "`rcutree.kthread_prio`",
        "a grace period that never ends shows as memory, after minutes",
    ),
    _effect("cmdline.rcupdate.rcu_normal_after_boot", "`rcupdate.rcu_normal_after_boot`", _MESSAGE),
    _effect("cmdline.rcutree.nohz_full_patience_delay", "`rcutree.nohz_full_patience_delay`", _TASK),
    _effect("cmdline.irqaffinity", "`irqaffinity`", _DEVICE),
    _read_back("cmdline.skew_tick", "`skew_tick`", "it spreads the ticks of housekeeping CPUs only"),
    _effect("cmdline.tsc", "`tsc=reliable`", _TICK),
    _effect("cmdline.tsc.nowatchdog", "`tsc=nowatchdog`", _TICK),
    _effect("cmdline.nmi_watchdog", "`nmi_watchdog` on the command line", _MESSAGE),
    _effect("cmdline.processor.max_cstate", "`processor.max_cstate`", _GAP),
    _effect("cmdline.intel_idle.max_cstate", "`intel_idle.max_cstate`", _GAP),
    _read_back(
        "cmdline.pcie_aspm.policy", "`pcie_aspm`", "it is the card that waits for its link, not a CPU"
    ),
    _read_back(
        "cmdline.intel_iommu", "`intel_iommu`", "the deploy that binds a port to vfio proves its group"
    ),
    _read_back("cmdline.iommu", "`iommu`", "a translation costs time in the device, not on a CPU"),
    _read_back("cmdline.hugepagesz", "size of hugepages", "the pool is counted by `memory.hugepages`"),
    _read_back(
        "cmdline.hugepages", "hugepages of a node, at boot", "the pool is counted by `memory.hugepages`"
    ),
    _read_back("cmdline.hugepagesz.1G", "size of 1 GiB pages", "the pool is counted by `memory.hugepages`"),
    _read_back("cmdline.hugepages.1G", "1 GiB pages of a node", "the pool is counted by `memory.hugepages`"),
    _effect("cmdline.transparent_hugepage", "`transparent_hugepage`", _FAULT),
    _refused("cmdline.mitigations", "`mitigations`", Code.SECURITY),
    _refused("cmdline.hugepages", "a pool of the operator's own, 1G pages too", Code.HUGEPAGES_THEIRS),
    _advice("`isolcpus=nohz`", "an alias of `nohz_full`, which is planned"),
    _advice("`rcupdate.rcu_cpu_stall_suppress`", "it hides real stalls from everybody"),
    _advice(
        "`kthread_cpus`", "not in stock kernels; kernel threads are placed at run time and after every boot"
    ),
    _advice(
        "`clocksource` and `hpet` on the command line",
        "the clock source is chosen at run time, where a bad one can be taken back",
    ),
    _advice("`nosoftlockup` and `nowatchdog`", "hang detection stays, on housekeeping CPUs alone"),
    _advice("`cpuidle.off` and `idle=poll`", "takes turbo away and heats the siblings"),
    _advice("`mce`", "correctable errors unseen become uncorrectable ones; polling alone is switched off"),
    _advice(
        "`audit`", "the trail of who did what; a rule `never,task` of the operator's is cheaper than none"
    ),
    _advice("`nosmt`", "siblings of hot CPUs are kept idle instead, and housekeeping keeps its threads"),
    _advice(
        "`systemd.cpu_affinity`", "as `CPUAffinity=`, which is planned; on the line it reaches the initrd"
    ),
    _advice("`preempt` and `threadirqs`", "a choice of kernel: profile key `kernel_release`"),
    _advice("console and `printk`", "a blind console costs the diagnosis of the next fault"),
    _advice("`rdt` on the command line", "it limits what resctrl may do, and that is left alone, too"),
    _advice("`rd.shell` and crash kernel", "what a host does when its boot fails is the trial boot's part"),
)
_CPUS = (
    _effect("kernel.nmi_watchdog", "hard-lockup watchdog", _MESSAGE),
    _effect("kernel.watchdog_cpumask", "soft-lockup watchdog's CPUs", _TICK, _TASK),
    _effect("kernel.sched_rt_runtime_us", "real-time throttling", _GAP),
    _effect("sched.fair_server.*", "fair server (from 6.12)", _GAP),
    _refused("sched.fair_server", "fair server where debugfs does not show it", Code.NOT_APPLICABLE_ABSENT),
    _effect("kernel.timer_migration", "timer migration", _TICK),
    _read_back("kernel.sched_autogroup_enabled", "autogroup", "hot threads are alone on their CPUs"),
    _read_back("kernel.hung_task_timeout_secs", "hung-task reports", "a report costs time when there is one"),
    _read_back("kernel.panic", "`panic`", "it says what a host does after its last word"),
    _read_back("kernel.panic_on_oops", "`panic_on_oops`", "it says what a host does after a fault"),
    _effect("machinecheck.check_interval", "machine-check polling (`check_interval`)", _OTHER),
    _effect("slice.*", "CPUs of slices, `machine.slice` too", _TASK),
    _effect("pid1.affinity", "`CPUAffinity=` of PID 1", _TASK),
    _effect("kthread.placement", "unbound kernel threads", _TASK),
    _effect("workqueue.cpumask", "unbound workqueues", _TASK),
    _effect("workqueue.writeback", "writeback workqueue", _TASK),
    _effect("unit.*", "irqbalance, timers, updaters", _DEVICE, _TASK),
    _refused("slice.*", "control groups that systemd does not own", Code.CGROUP_FOREIGN),
    _advice(
        "`workqueue.power_efficient`",
        "on, it moves per-CPU work to the planned mask: the effect check counts it",
    ),
    _advice("workqueue masks of single devices", "the kernel cuts each with the mask that is planned"),
    _advice(
        "cpuset partition `isolated`",
        "`isolcpus=domain` holds from the first instruction; both at once hide one",
    ),
    _read_back("kthread.priority.ksoftirqd", "priorities of kernel threads: ksoftirqd", _NO_SPINNER),
    _read_back("kthread.priority.ktimers", "ktimers", _NO_SPINNER),
    _read_back("kthread.priority.irq.*", "interrupts of a port", _NO_SPINNER),
    _refused("kthread.priority", "priorities where there are no such threads", Code.NOT_APPLICABLE_KERNEL),
    _advice("stalld", "its boosting is itself an interference, and the fair server does its work from 6.12"),
    _advice(
        "scheduler tunables in debugfs", "one runnable thread on a hot CPU leaves the scheduler no choice"
    ),
    _advice(
        "limits, OOM score, NUMA policy and scheduling policy of the engine",
        "in its own unit, from its manifest",
    ),
    _advice(
        "static-key IPIs of time stamping", "a daemon of the operator's; the effect check counts the IPIs"
    ),
    _advice(
        "perf, tracing, eBPF, PSI, core pattern", "what an operator switches on; the effect check shows it"
    ),
    _advice(
        "module loading, `mprotect`, membarrier",
        "a discipline of the engine's; the effect check counts TLB and CAL",
    ),
    _advice("SMI sources", "firmware's; `fwupd-refresh.timer` is masked, gaps are measured"),
)
_MEMORY = (
    _read_back("memory.hugepages", "hugepages of a node, later", "the pool is counted by `memory.hugepages`"),
    _effect("memory.thp_enabled", "THP at run time", _FAULT),
    _effect("memory.thp_defrag", "THP defragmentation", _FAULT),
    _effect("memory.khugepaged_defrag", "khugepaged's compaction", _TASK),
    _effect("memory.ksm", "KSM", _FAULT),
    _effect("kernel.numa_balancing", "NUMA balancing", _FAULT),
    _effect("vm.compact_unevictable_allowed", "compaction of locked memory", _FAULT),
    _effect("vm.compaction_proactiveness", "proactive compaction", _TASK),
    _effect("vm.stat_interval", "vmstat workers", _TASK),
    _read_back(
        "vm.dirty_background_ratio", "background writeback", "it bounds a backlog, which a window seldom has"
    ),
    _read_back("vm.dirty_ratio", "writeback", "it bounds a backlog, which a window seldom has"),
    _read_back("vm.swappiness", "swappiness", "a host that swaps shows it under pressure only"),
    _read_back("vm.watermark_boost_factor", "watermark boost", "kswapd runs under pressure only"),
    _read_back(
        "vm.zone_reclaim_mode", "zone reclaim", "a node that is full shows it, and a window seldom is"
    ),
    _read_back("memory.swap", "swap off", "a host that swaps shows it under pressure only"),
    _advice("`min_free_kbytes`", "it depends on the whole memory use of a host"),
    _advice(
        "hugetlbfs mounts", "an engine maps its pages without a mount (MAP_HUGETLB); systemd mounts 2 MiB"
    ),
    _advice("resctrl: CAT, MBA, CDP", "needs a measured working set; a wrong mask slows housekeeping"),
)
_POWER = (
    _effect("power.governor.*", "frequency governor", _GAP),
    _effect("power.preference.*", "energy preference (EPP)", _GAP),
    _effect("power.bias.*", "energy bias (EPB)", _GAP),
    _effect("power.resume_latency.*", "`pm_qos_resume_latency_us`", _GAP),
    _effect("power.no_turbo", "`no_turbo`", _GAP),
    _effect("power.min_perf_pct", "`min_perf_pct`", _GAP),
    _effect("power.boost", "boost", _GAP),
    _recorded(
        "`intel_pstate` and `amd_pstate` modes", "`status` of the driver; change it on the base line, measure"
    ),
    _recorded("idle driver and states", "`cpuidle/current_driver`, names and latencies of CPU 0's states"),
    _effect("power.dma_latency", "`cpu_dma_latency`, held by a unit", _GAP),
    _advice("uncore frequency, `platform_profile`", "a firmware or vendor matter; measure"),
)
_DEVICES = (
    _effect("irq.default_affinity", "default of interrupts", _DEVICE),
    _effect("irq.placement", "interrupts", _DEVICE),
    _effect("irq.device.*", "interrupts of a network device", _DEVICE),
    _read_back("net.core.busy_poll", "busy polling in poll", "it adds work of the engine's own thread"),
    _read_back("net.core.busy_read", "busy polling in read", "it adds work of the engine's own thread"),
    _read_back(
        "net.core.bpf_jit_enable", "BPF compiler", "it shortens a program, and nothing counts its steps"
    ),
    _refused("ports.trade", "the trading port, where none is named", Code.PORTS_GUESSED),
    _advice("block queues", "no block interrupt reaches a hot CPU; the effect check counts them"),
    _advice("RPS, XPS, RFS", "off by default; the queues' interrupts are on their own cores"),
    _advice("threaded NAPI", "moves work to threads that need placing; a poll thread does better"),
    _read_back(
        "nic.napi_defer.*", "`napi_defer_hard_irqs`", "the interrupts that it saves are those of irq cores"
    ),
    _read_back(
        "nic.gro_flush.*", "`gro_flush_timeout`", "the interrupts that it saves are those of irq cores"
    ),
    _read_back("nic.channels.combined.*", "channels", _PORT),
    _read_back("nic.channels.rx.*", "channels: received, of a driver without combined ones", _PORT),
    _read_back("nic.channels.tx.*", "channels: sent, of a driver without combined ones", _PORT),
    _read_back("nic.rings.rx.*", "rings: received", _PORT),
    _read_back("nic.rings.tx.*", "rings: sent", _PORT),
    _read_back("nic.coalesce.adaptive_rx.*", "coalescing: adaptive", _PORT),
    _read_back("nic.coalesce.rx_usecs.*", "coalescing: wait", _PORT),
    _read_back("nic.features.gro.*", "offloads: GRO", _PORT),
    _read_back("nic.features.lro.*", "offloads: LRO", _PORT),
    _read_back("nic.features.gso.*", "offloads: GSO", _PORT),
    _read_back("nic.features.tso.*", "offloads: TSO, IPv4", _PORT),
    _read_back("nic.features.tso6.*", "offloads: TSO, IPv6", _PORT),
    _advice("checksums and scatter-gather", "they stay on: off, a CPU does the card's work"),
    _read_back("nic.rss.table.*", "RSS: queues of the table", _PORT),
    _read_back("nic.rss.key.*", "RSS: key", _PORT),
    _read_back("nic.rss.tcp4.*", "RSS: hashed fields, TCP", _PORT),
    _read_back("nic.rss.udp4.*", "RSS: hashed fields, UDP", _PORT),
    _read_back("nic.features.ntuple.*", "flow rules: switched on", _PORT),
    _read_back("nic.flows.*", "flow rules", _PORT),
    _read_back("nic.pause.rx.*", "pause frames: received", _PORT),
    _read_back("nic.pause.tx.*", "pause frames: sent", _PORT),
    _read_back("nic.eee.enabled.*", "EEE", _PORT),
    _read_back("nic.wol.modes.*", "wake-on-LAN", _PORT),
    _advice("FEC, private flags", "changing them can drop the link; at installation"),
    _advice(
        "MTU, queue lengths, qdisc",
        "a matter of the network; wrong on one side only is worse than the default",
    ),
    _read_back("bond.miimon.*", "bonds: link monitoring", _BOND),
    _read_back("bond.num_grat_arp.*", "bonds: announcements", _BOND),
    _advice(
        "bonds: mode, members, `lacp_rate`, `updelay`, hash policy",
        "set where the bond is made; most of them only while it is down",
    ),
    _advice(
        "binding to vfio", "`engine.host.nic` binds the port it is told and none by which the host is reached"
    ),
    _advice("Onload's own options", "`EF_*` belongs to the engine's environment, from its manifest"),
    _advice("hardware time stamping", "the clock daemon's and the engine's own request"),
)
_TIME = (
    _effect("clock.source", "clock source", _GAP),
    _read_back("clock.daemon.*", "clock daemons on their core", "what they do shows in the clock's offset"),
    _advice("ptp4l, phc2sys, chrony", "`hft clock plan` decides them from the inventory's `ptp`"),
    _advice("RTS 25: offset history and traceability", "kept by `hft clock check`; see time.md"),
)
_FIRMWARE = (
    _advice(
        "firmware settings",
        "power profile, C-states, SMT, NPS, prefetchers: before planning; see operations.md",
    ),
)
GROUPS: tuple[tuple[str, tuple[Tunable, ...]], ...] = (
    ("Kernel command line", _LINE),
    ("CPUs, scheduler, workqueues", _CPUS),
    ("Memory and cache", _MEMORY),
    ("Power", _POWER),
    ("Interrupts and network", _DEVICES),
    ("Time", _TIME),
    ("Firmware", _FIRMWARE),
)
TABLE: tuple[Tunable, ...] = tuple(row for _, rows in GROUPS for row in rows)
