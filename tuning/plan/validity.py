"""On which kernels and processors a setting means something: from a release, before a release, kinds.

A word that a kernel does not know is not an error of the boot, it is silence: the host runs, and what was
planned is not there. So every setting of a plan has a row here, by the stem of its key, and one that does not
apply is refused by name. A processor that the capture does not name is not taken for the most common one:
what belongs to one architecture is then refused, too. Sources: the kernel's documents at the release where a
word first stands (admin-guide/kernel-parameters.txt, admin-guide/sysctl/, admin-guide/cgroup-v2.rst).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuning.plan.refusal import Code
from tuning.topology.topology import Topology

X86 = ("x86_64",)
Release = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Validity:
    """From `since`, before `until` (None: no limit that matters), on `architectures` (none named: all)."""

    since: Release | None = None
    until: Release | None = None
    architectures: tuple[str, ...] = ()


ALWAYS = Validity()
NETLINK = Validity((5, 7))  # the release in which the family `ethtool` had all of these messages
X86_AND_ARM = Validity(None, None, ("x86_64", "aarch64"))
# By the stem of the key; `*` ends the stems that host facts complete (a CPU, a slice, a unit, a device).
VALID: Mapping[str, Validity] = {
    "cmdline.isolcpus": ALWAYS,
    "cmdline.isolcpus.managed_irq": Validity((5, 6)),
    "cmdline.nohz_full": Validity((3, 10)),
    "cmdline.rcu_nocbs": Validity((3, 10)),
    "cmdline.irqaffinity": ALWAYS,
    "cmdline.skew_tick": ALWAYS,
    "cmdline.tsc": Validity(None, None, X86),
    "cmdline.tsc.nowatchdog": Validity((5, 3), None, X86),
    "cmdline.nmi_watchdog": Validity(None, None, X86),
    "cmdline.processor.max_cstate": Validity(None, None, X86),
    "cmdline.intel_idle.max_cstate": Validity(None, None, X86),
    "cmdline.rcutree.kthread_prio": Validity((3, 19)),
    "cmdline.rcupdate.rcu_normal_after_boot": Validity((4, 9)),
    "cmdline.rcutree.nohz_full_patience_delay": Validity((6, 11)),
    "cmdline.rcu_nocb_poll": Validity((3, 8)),
    "cmdline.pcie_aspm.policy": ALWAYS,
    "cmdline.intel_iommu": Validity(None, None, X86),
    "cmdline.iommu": Validity(None, None, X86),
    "cmdline.hugepagesz": ALWAYS,
    "cmdline.hugepages": ALWAYS,
    "cmdline.hugepagesz.1G": X86_AND_ARM,
    "cmdline.hugepages.1G": X86_AND_ARM,
    "cmdline.transparent_hugepage": ALWAYS,
    "memory.hugepages": Validity(None, (5, 16)),
    "memory.thp_enabled": ALWAYS,
    "memory.thp_defrag": ALWAYS,
    "memory.khugepaged_defrag": ALWAYS,
    "memory.ksm": ALWAYS,
    "machinecheck.check_interval": Validity(None, None, X86),
    "kernel.nmi_watchdog": ALWAYS,
    "kernel.hung_task_timeout_secs": ALWAYS,
    "kernel.panic": ALWAYS,
    "kernel.panic_on_oops": ALWAYS,
    "kernel.sched_autogroup_enabled": ALWAYS,
    "kernel.numa_balancing": Validity((3, 13)),
    "kernel.sched_rt_runtime_us": ALWAYS,
    "kernel.timer_migration": ALWAYS,
    "kernel.watchdog_cpumask": Validity((4, 3)),
    "net.core.bpf_jit_enable": Validity((3, 0)),
    "net.core.busy_poll": Validity((3, 11)),
    "net.core.busy_read": Validity((3, 11)),
    "vm.compact_unevictable_allowed": Validity((4, 1)),
    "vm.compaction_proactiveness": Validity((5, 9)),
    "vm.dirty_background_ratio": ALWAYS,
    "vm.dirty_ratio": ALWAYS,
    "vm.stat_interval": ALWAYS,
    "vm.swappiness": ALWAYS,
    "vm.watermark_boost_factor": Validity((5, 0)),
    "vm.zone_reclaim_mode": ALWAYS,
    "nic.napi_defer.*": Validity((5, 7)),
    "nic.gro_flush.*": Validity((3, 19)),
    "nic.channels.combined.*": NETLINK,
    "nic.channels.rx.*": NETLINK,
    "nic.channels.tx.*": NETLINK,
    "nic.rings.rx.*": NETLINK,
    "nic.rings.tx.*": NETLINK,
    "nic.coalesce.adaptive_rx.*": NETLINK,
    "nic.coalesce.rx_usecs.*": NETLINK,
    "nic.pause.rx.*": NETLINK,
    "nic.pause.tx.*": NETLINK,
    "nic.eee.enabled.*": NETLINK,
    "nic.wol.modes.*": NETLINK,
    "nic.features.gro.*": NETLINK,
    "nic.features.lro.*": NETLINK,
    "nic.features.gso.*": NETLINK,
    "nic.features.tso.*": NETLINK,
    "nic.features.tso6.*": NETLINK,
    "nic.features.ntuple.*": NETLINK,
    "nic.rss.table.*": NETLINK,
    "nic.rss.key.*": NETLINK,
    "nic.rss.tcp4.*": NETLINK,
    "nic.rss.udp4.*": NETLINK,
    "nic.flows.*": NETLINK,
    "bond.miimon.*": ALWAYS,
    "bond.num_grat_arp.*": ALWAYS,
    "irq.default_affinity": ALWAYS,
    "irq.placement": ALWAYS,
    "irq.device.*": ALWAYS,
    "kthread.placement": ALWAYS,
    "kthread.priority.ksoftirqd": ALWAYS,
    "kthread.priority.ktimers": ALWAYS,
    "kthread.priority.irq.*": ALWAYS,
    "workqueue.cpumask": Validity((4, 2)),
    "workqueue.writeback": Validity((3, 10)),
    "sched.fair_server.*": Validity((6, 12)),
    "slice.*": Validity((5, 0)),  # the cpuset controller of cgroup v2
    "clock.daemon.*": Validity((5, 0)),
    "pid1.affinity": ALWAYS,
    "unit.*": ALWAYS,
    "clock.source": Validity(None, None, X86),
    "power.dma_latency": ALWAYS,
    "memory.swap": ALWAYS,
    "power.governor.*": ALWAYS,
    "power.preference.*": Validity((4, 10)),
    "power.bias.*": Validity((5, 2), None, X86),
    "power.resume_latency.*": Validity((4, 16)),  # `n/a` allows no latency at all
    "power.no_turbo": Validity((3, 9), None, X86),
    "power.min_perf_pct": Validity((3, 9), None, X86),
    "power.boost": Validity((3, 7)),
}


def validity_of(key: str) -> Validity:
    """The row of a setting; KeyError when it has none, which a test holds for every planned one."""
    if key in VALID:
        return VALID[key]
    for stem, row in VALID.items():
        if stem.endswith("*") and key.startswith(stem[:-1]):
            return row
    raise KeyError(key)


def unfit(key: str, topology: Topology) -> tuple[Code, str] | None:
    """Why this host's kernel or processor does not have it; None when it has, or when that is not known."""
    row = validity_of(key)
    if row.architectures and topology.architecture not in row.architectures:
        where = " and ".join(row.architectures)
        if topology.architecture is None:
            return Code.ARCHITECTURE_UNKNOWN, f"the architecture is not known, and it belongs to {where}"
        return (
            Code.NOT_APPLICABLE_ARCHITECTURE,
            f"it belongs to {where}, this host is {topology.architecture}",
        )
    running = topology.kernel_release
    if row.since and topology.kernel_at_least(*row.since) is False:
        return Code.NOT_APPLICABLE_KERNEL, f"kernels have it from {_text(row.since)}, this is {running}"
    if row.until and topology.kernel_at_least(*row.until):
        return Code.NOT_APPLICABLE_KERNEL, f"kernels had it before {_text(row.until)}, this is {running}"
    return None


def is_unproven(key: str, topology: Topology) -> bool:
    """Whether the kernel's release is not known and matters."""
    row = validity_of(key)
    return topology.kernel_at_least(0, 0) is None and (row.since or row.until) is not None


def _text(release: Release) -> str:
    return f"{release[0]}.{release[1]}"
