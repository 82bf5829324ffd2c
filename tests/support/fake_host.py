"""A made server: the files of /proc, /sys and /etc that describe it, of any size.

No benchmark machine has 1,024 CPUs, and a small one would be refused by the planner, so the benchmark makes
its host: sockets that are NUMA nodes, cores with two sibling threads numbered the way x86 firmware does
(siblings half the range apart), one last-level cache for every eight cores, one 25 GbE card per host on
node 0 with a queue and an interrupt per core, hugepage pools, frequency governors, and the sysctls of a
Debian kernel. The layout is the kernel's (Documentation/ABI/stable/sysfs-devices-system-cpu and -node).

The same value serves all uses: tests and the planner's benchmark read it from memory, the target's root gets
it as plain files, so every tool finds the same host and can change it. Of tests/support, bench may
import this module: both run from a checkout, and neither is installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Where made hosts are laid out: tens of thousands of small files belong into memory, not onto a busy disk.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # mkdtemp makes 0700
RELEASE = "6.1.0-44-amd64"
MACHINE_ID = "00000000000000000000000000000be9"
NIC = "enp1s0f0"
MAC = "52:54:00:be:9c:01"
CORES_PER_CACHE = 8
# Numbers that no process of the target's own PID namespace ever gets to, so nobody can move one by mistake.
KERNEL_THREADS = {
    4_190_001: "kswapd0",
    4_190_002: "kcompactd0",
    4_190_003: "rcu_preempt",
    4_190_004: "khugepaged",
}
_PF_KTHREAD = 0x0020_0000
FIRST_NIC_IRQ = 64
_CPU = "/sys/devices/system/cpu"
_NODE = "/sys/devices/system/node"
_NIC_PCI = "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeHost:
    """A host as files: absolute path to text, and symbolic links to their targets."""

    files: Mapping[str, str]
    links: Mapping[str, str]

    def write(self, root: Path) -> None:
        """Lay the files and links out below ROOT."""
        for path, text in self.files.items():
            where = root / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text)
        for path, goal in self.links.items():
            where = root / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            where.symlink_to(goal)

    def with_files(self, files: Mapping[str, str]) -> MadeHost:
        """The same host with some files added or replaced."""
        return MadeHost(files={**self.files, **files}, links=self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a made host is."""

    nodes: int
    cores_per_node: int
    threads: int = 2
    node_gib: int = 64

    @property
    def cores(self) -> int:
        """Physical cores of the host."""
        return self.nodes * self.cores_per_node

    @property
    def cpus(self) -> int:
        """Logical CPUs of the host."""
        return self.cores * self.threads

    def core_of(self, cpu: int) -> int:
        """The physical core of a CPU: siblings are `cores` apart."""
        return cpu % self.cores

    def node_of(self, cpu: int) -> int:
        """The NUMA node (and socket) of a CPU."""
        return self.core_of(cpu) // self.cores_per_node

    def on_cores(self, first: int, count: int) -> str:
        """The kernel's list of all CPUs on COUNT cores from FIRST."""
        spans = [
            (first + turn * self.cores, first + turn * self.cores + count - 1) for turn in range(self.threads)
        ]
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


SMALL = Shape(nodes=2, cores_per_node=8)
LARGE = Shape(nodes=8, cores_per_node=64)


def make_host(shape: Shape) -> MadeHost:
    """A made host of SHAPE, untuned, as Debian leaves it."""
    files = {path: f"{text}\n" for part in _PARTS for path, text in part(shape)}
    return MadeHost(files=files, links=dict(_links(shape)))


def _all(shape: Shape) -> str:
    return f"0-{shape.cpus - 1}"


def _mask(shape: Shape) -> str:
    digits = f"{(1 << shape.cpus) - 1:x}"
    padded = digits.zfill(-(-len(digits) // 8) * 8)
    return ",".join(padded[at : at + 8] for at in range(0, len(padded), 8))


def _cpus(shape: Shape) -> Iterator[tuple[str, str]]:
    for name in ("online", "possible", "present"):
        yield f"{_CPU}/{name}", _all(shape)
    for name in ("offline", "isolated", "nohz_full"):
        yield f"{_CPU}/{name}", ""
    yield f"{_CPU}/kernel_max", "8191"
    yield f"{_CPU}/smt/active", str(int(shape.threads > 1))
    yield f"{_CPU}/smt/control", "on"
    yield f"{_CPU}/cpuidle/current_driver", "intel_idle"
    yield f"{_CPU}/cpuidle/current_governor", "menu"
    yield f"{_CPU}/intel_pstate/status", "active"
    yield f"{_CPU}/intel_pstate/no_turbo", "0"
    yield f"{_CPU}/vulnerabilities/meltdown", "Not affected"
    for state, (name, latency) in enumerate((("POLL", 0), ("C1", 2), ("C1E", 10), ("C6", 133))):
        yield f"{_CPU}/cpu0/cpuidle/state{state}/name", name
        yield f"{_CPU}/cpu0/cpuidle/state{state}/latency", str(latency)
    for cpu in range(shape.cpus):
        yield from _cpu(shape, cpu)


def _cpu(shape: Shape, cpu: int) -> Iterator[tuple[str, str]]:
    core, folder = shape.core_of(cpu), f"{_CPU}/cpu{cpu}"
    siblings = shape.on_cores(core, 1)
    if cpu:
        yield f"{folder}/online", "1"
    yield f"{folder}/topology/physical_package_id", str(shape.node_of(cpu))
    yield f"{folder}/topology/core_id", str(core % shape.cores_per_node)
    yield f"{folder}/topology/die_id", "0"
    yield f"{folder}/topology/thread_siblings_list", siblings
    yield f"{folder}/topology/core_cpus_list", siblings
    shared = shape.on_cores(core // CORES_PER_CACHE * CORES_PER_CACHE, min(CORES_PER_CACHE, shape.cores))
    for index, (level, kind) in enumerate(((1, "Data"), (1, "Instruction"), (2, "Unified"), (3, "Unified"))):
        yield f"{folder}/cache/index{index}/level", str(level)
        yield f"{folder}/cache/index{index}/type", kind
        yield f"{folder}/cache/index{index}/shared_cpu_list", shared if level == 3 else siblings
    yield f"{folder}/cpufreq/scaling_governor", "powersave"
    yield f"{folder}/cpufreq/scaling_available_governors", "performance powersave"
    yield f"{folder}/cpufreq/cpuinfo_max_freq", "3600000"


def _nodes(shape: Shape) -> Iterator[tuple[str, str]]:
    every = "0" if shape.nodes == 1 else f"0-{shape.nodes - 1}"
    yield f"{_NODE}/online", every
    yield f"{_NODE}/has_memory", every
    for node in range(shape.nodes):
        folder = f"{_NODE}/node{node}"
        yield f"{folder}/cpulist", shape.on_cores(node * shape.cores_per_node, shape.cores_per_node)
        yield f"{folder}/distance", " ".join("10" if other == node else "21" for other in range(shape.nodes))
        yield f"{folder}/meminfo", _meminfo(shape.node_gib * 1024 * 1024, f"Node {node} ")
        for size_kb in (2048, 1048576):
            yield f"{folder}/hugepages/hugepages-{size_kb}kB/nr_hugepages", "0"
    for size_kb in (2048, 1048576):
        yield f"/sys/kernel/mm/hugepages/hugepages-{size_kb}kB/nr_hugepages", "0"


def _meminfo(total_kib: int, prefix: str = "") -> str:
    values = {"MemTotal": total_kib, "MemFree": total_kib * 9 // 10}
    return "\n".join(f"{prefix}{name}:{value:>16} kB" for name, value in values.items())


def _kernel(shape: Shape) -> Iterator[tuple[str, str]]:
    yield (
        "/proc/cmdline",
        f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} root=UUID=0be9c400-0000-4000-8000-000000000000 ro quiet",
    )
    yield (
        "/proc/version",
        f"Linux version {RELEASE} (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian",
    )
    yield "/proc/cpuinfo", "\n\n".join(_cpuinfo(shape, cpu) for cpu in range(shape.cpus))
    yield "/proc/meminfo", _meminfo(shape.nodes * shape.node_gib * 1024 * 1024)
    yield "/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"
    for who in ("1", "self"):
        yield f"/proc/{who}/status", f"Name:\tsystemd\nCpus_allowed_list:\t{_all(shape)}"
        yield f"/proc/{who}/cgroup", "0::/init.scope"
        yield f"/proc/{who}/cpuset", "/"
    for pid, name in KERNEL_THREADS.items():
        yield f"/proc/{pid}/stat", f"{pid} ({name}) S 2 0 0 0 -1 {_PF_KTHREAD} 0 0 0 0"
        yield f"/proc/{pid}/status", f"Name:\t{name}\nCpus_allowed_list:\t{_all(shape)}"
    for group in ("init.scope", "system.slice", "user.slice"):
        yield f"/sys/fs/cgroup/{group}/cpuset.cpus", ""
        yield f"/sys/fs/cgroup/{group}/cpuset.cpus.effective", _all(shape)
    yield "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc"
    yield "/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm"
    yield "/sys/devices/virtual/workqueue/cpumask", _mask(shape)
    yield "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"
    yield "/sys/kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise [madvise] never"
    yield "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "1"
    yield "/sys/kernel/mm/ksm/run", "0"
    yield "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc"
    yield "/proc/sys/kernel/watchdog_cpumask", _all(shape)
    for name, value in SYSCTLS.items():
        yield f"/proc/sys/{name.replace('.', '/')}", value


def _cpuinfo(shape: Shape, cpu: int) -> str:
    values = {
        "processor": cpu,
        "vendor_id": "GenuineIntel",
        "model name": "Made CPU",
        "physical id": shape.node_of(cpu),
        "core id": shape.core_of(cpu) % shape.cores_per_node,
        "flags": "fpu tsc msr pae constant_tsc arch_perfmon nonstop_tsc tsc_known_freq rdtscp pdpe1gb",
    }
    return "\n".join(f"{name}\t: {value}" for name, value in values.items())


def _interrupts(shape: Shape) -> Iterator[tuple[str, str]]:
    yield "/proc/irq/default_smp_affinity", _mask(shape)
    named = dict.fromkeys(range(24, 32), "xhci_hcd")
    named |= {FIRST_NIC_IRQ + queue: f"{NIC}-TxRx-{queue}" for queue in range(shape.cores)}
    for irq, name in named.items():
        yield f"/proc/irq/{irq}/smp_affinity_list", _all(shape)
        yield f"/sys/kernel/irq/{irq}/actions", name
    heads = "".join(f"{'CPU' + str(cpu):>11}" for cpu in range(shape.cpus))
    rows = [f"{irq:>4}:{'0':>11}{'0':>11} PCI-MSI {name}" for irq, name in named.items()]
    yield "/proc/interrupts", "\n".join(["    " + heads, *rows])


def _devices(shape: Shape) -> Iterator[tuple[str, str]]:
    yield f"{_NIC_PCI}/numa_node", "0"
    yield f"{_NIC_PCI}/class", "0x020000"
    yield f"{_NIC_PCI}/vendor", "0x8086"
    yield f"{_NIC_PCI}/irq", str(FIRST_NIC_IRQ)
    net = f"{_NIC_PCI}/net/{NIC}"
    yield f"{net}/address", MAC
    yield f"{net}/operstate", "up"
    yield f"{net}/type", "1"
    for queue in range(shape.cores):
        yield f"{_NIC_PCI}/msi_irqs/{FIRST_NIC_IRQ + queue}", "msix"
        yield f"{net}/queues/rx-{queue}/rps_cpus", _mask(shape).replace("f", "0")
    yield f"{_NIC_PCI}/ptp/ptp0/clock_name", f"{MAC}"
    for name in ("address", "operstate", "type"):
        yield (
            f"/sys/devices/virtual/net/lo/{name}",
            {"address": "00:00:00:00:00:00", "type": "772"}.get(name, "unknown"),
        )
    yield "/sys/class/dmi/id/sys_vendor", "Made"
    yield "/sys/class/dmi/id/product_name", "Benchmark Server"
    yield "/sys/class/dmi/id/product_serial", "BENCH-1"


def _etc(_shape: Shape) -> Iterator[tuple[str, str]]:
    yield "/etc/machine-id", MACHINE_ID
    yield "/etc/hostname", "bench-1"


def _units(_shape: Shape) -> Iterator[tuple[str, str]]:
    for name in UNITS:
        kind, target = ("Timer", "timers") if name.endswith(".timer") else ("Service", "multi-user")
        body = "OnCalendar=daily" if kind == "Timer" else "ExecStart=/bin/true"
        yield (
            f"/usr/lib/systemd/system/{name}",
            f"[Unit]\nDescription={name}\n[{kind}]\n{body}\n[Install]\nWantedBy={target}.target",
        )


def _links(_shape: Shape) -> Iterator[tuple[str, str]]:
    yield f"/sys/class/net/{NIC}", f"../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/net/{NIC}"
    yield "/sys/class/net/lo", "../../devices/virtual/net/lo"
    yield f"{_NIC_PCI}/net/{NIC}/device", "../../../0000:01:00.0"
    yield f"{_NIC_PCI}/driver", "../../../../bus/pci/drivers/ice"
    yield "/sys/class/ptp/ptp0", "../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/ptp/ptp0"
    yield f"{_NIC_PCI}/ptp/ptp0/device", "../../../0000:01:00.0"
    yield "/sys/bus/pci/devices/0000:01:00.0", "../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0"
    yield "/sys/bus/pci/drivers/ice/module", "../../../../module/ice"
    for name in UNITS:
        wants = "timers" if name.endswith(".timer") else "multi-user"
        yield f"/etc/systemd/system/{wants}.target.wants/{name}", f"/lib/systemd/system/{name}"


_PARTS = (_cpus, _nodes, _kernel, _interrupts, _devices, _etc, _units)

# Unit files that a Debian 12 server has and that a tuned one wants quiet.
UNITS = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "irqbalance.service",
    "man-db.timer",
    "unattended-upgrades.service",
)

# Untuned sysctls. A kernel value is replaced by one write(2), a plain file keeps what a shorter write leaves,
# and hft's agent rightly does not truncate. So none of these is longer than what a plan wants instead.
SYSCTLS: Mapping[str, str] = {
    "fs.file-max": "9223372036854775807",
    "fs.nr_open": "1048576",
    "kernel.arch": "x86_64",
    "kernel.hostname": "bench-1",
    "kernel.hung_task_timeout_secs": "120",
    "kernel.ngroups_max": "65536",
    "kernel.nmi_watchdog": "1",
    "kernel.numa_balancing": "1",
    "kernel.osrelease": RELEASE,
    "kernel.perf_cpu_time_max_percent": "25",
    "kernel.pid_max": "4194304",
    "kernel.random.boot_id": "be9c0000-0000-4000-8000-000000000001",
    "kernel.sched_rt_runtime_us": "0",
    "kernel.timer_migration": "1",
    "kernel.watchdog": "1",
    "net.core.busy_poll": "0",
    "net.core.busy_read": "0",
    "vm.compact_unevictable_allowed": "1",
    "vm.compaction_proactiveness": "1",
    "vm.dirty_background_ratio": "9",
    "vm.dirty_ratio": "20",
    "vm.stat_interval": "1",
    "vm.swappiness": "60",
    "vm.watermark_boost_factor": "1",
    "vm.zone_reclaim_mode": "0",
}
