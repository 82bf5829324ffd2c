"""Unlike machines as snapshots: made by a builder, so that a case says in one line what is odd about it.

`machine()` writes what a live Debian host of that shape shows, before tuning; `tuned()` is the same host
after a plan was applied and booted, written from the plan's meaning alone: applying must leave nothing
pending and must not change the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuning.cpuset import CpuSet
from tuning.nic_table import KNOBS
from tuning.plan.plan import Plan
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    KthreadPriority,
    NicParameter,
    Pid1Affinity,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)
from tuning.seen_nics import SEEN_NICS_FILE, Answer, SeenNics
from tuning.snapshot.files import Snapshot
from tuning.sysctl_table import SYSCTL_NAMES
from tuning.units import AWAKE_UNIT, DISTURBING_UNITS, IRQBALANCE, KNOWN_SLICES, cgroup_of

CPU = "/sys/devices/system/cpu"
NODE = "/sys/devices/system/node"
BOOT_ID = "3f2a9c1b-0000-4000-8000-000000000001"
GIB = 1024 * 1024
RT_LACKS = ("net.core.busy_poll", "net.core.busy_read", "kernel.numa_balancing")
PF_KTHREAD, PF_NO_SETAFFINITY = 0x0020_0000, 0x0400_0000
BOUND = PF_KTHREAD | PF_NO_SETAFFINITY
THREADS = {
    "ksoftirqd": (14, "ksoftirqd/0", BOUND),
    "ktimers": (15, "ktimers/0", BOUND),
    "irq": (50, "irq/24-eth0-rx-", PF_KTHREAD),
}
THP = "/sys/kernel/mm/transparent_hugepage"


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One core: its threads, its node, its socket, the number of its last-level cache."""

    cpus: tuple[int, ...]
    node: int = 0
    package: int = 0
    llc: int = 0


def grid(
    *,
    sockets: int = 1,
    nodes_per_socket: int = 1,
    cores_per_node: int = 4,
    threads: int = 1,
    llc_cores: int = 0,
    interleaved: bool = False,
) -> tuple[Spot, ...]:
    """A regular machine; `llc_cores` 0: one cache a node; `interleaved`: siblings numbered far apart."""
    count = sockets * nodes_per_socket * cores_per_node
    spots = []
    for core in range(count):
        node = core // cores_per_node
        cpus = [core + count * one if interleaved else core * threads + one for one in range(threads)]
        llc = core // (llc_cores or cores_per_node)
        spots.append(Spot(cpus=tuple(cpus), node=node, package=node // nodes_per_socket, llc=llc))
    return tuple(spots)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a case is made of; nics is name to NUMA node."""

    spots: tuple[Spot, ...]
    nics: Mapping[str, int] = field(default_factory=lambda: {"eth0": 0})
    clocks: frozenset[str] = frozenset()
    memory_kib: Mapping[int, int] = field(default_factory=dict)
    offline: frozenset[int] = frozenset()
    slow: frozenset[int] = frozenset()
    is_virtual: bool = False
    is_realtime: bool = False
    has_invariant_tsc: bool = True
    allowed: CpuSet | None = None
    package_shown: int | None = None
    vendor: str = "GenuineIntel"

    @property
    def online(self) -> CpuSet:
        """CPUs that run."""
        return CpuSet.of(cpu for spot in self.spots for cpu in spot.cpus) - CpuSet.of(self.offline)


def machine(spec: Machine) -> Snapshot:
    """What the host shows before it is tuned."""
    files: dict[str, str | None] = {
        **_cpus(spec),
        **_nodes(spec),
        **_nics(spec),
        **_kernel(spec),
        **_systemd(spec),
        **_running(spec),
    }
    links = {f"/sys/class/net/{name}/device/driver": "../../../bus/pci/drivers/ice" for name in spec.nics}
    links["/etc/systemd/system/timers.target.wants/apt-daily.timer"] = "/lib/systemd/system/apt-daily.timer"
    return Snapshot(files, links)


def _cpus(spec: Machine) -> dict[str, str | None]:
    everything = CpuSet.of(cpu for spot in spec.spots for cpu in spot.cpus)
    files: dict[str, str | None] = {
        f"{CPU}/online": f"{spec.online}\n",
        f"{CPU}/possible": f"{everything}\n",
        f"{CPU}/present": f"{everything}\n",
        f"{CPU}/nohz_full": "(null)\n",
        f"{CPU}/isolated": "\n",
        f"{CPU}/smt/active": "0\n" if all(len(spot.cpus) == 1 for spot in spec.spots) else "1\n",
        f"{CPU}/cpuidle/current_driver": "none\n" if spec.is_virtual else "intel_idle\n",
    }
    caches: dict[int, CpuSet] = {}
    for spot in spec.spots:
        caches[spot.llc] = caches.get(spot.llc, CpuSet()) | CpuSet.of(spot.cpus)
    for spot in spec.spots:
        core = CpuSet.of(spot.cpus) & spec.online
        for cpu in core:
            base = f"{CPU}/cpu{cpu}"
            package = spot.package if spec.package_shown is None else spec.package_shown
            files[f"{base}/topology/physical_package_id"] = f"{package}\n"
            files[f"{base}/topology/thread_siblings_list"] = f"{core}\n"
            files[f"{base}/cache/index0/level"] = "1\n"
            files[f"{base}/cache/index0/type"] = "Data\n"
            files[f"{base}/cache/index0/shared_cpu_list"] = f"{core}\n"
            files[f"{base}/cache/index3/level"] = "3\n"
            files[f"{base}/cache/index3/type"] = "Unified\n"
            files[f"{base}/cache/index3/shared_cpu_list"] = f"{caches[spot.llc] & spec.online}\n"
            if spec.slow:
                files[f"{base}/cpu_capacity"] = "446\n" if cpu in spec.slow else "1024\n"
            if not spec.is_virtual:
                files[f"{base}/cpufreq/scaling_available_governors"] = "performance powersave\n"
                files[f"{base}/cpufreq/scaling_governor"] = "powersave\n"
                files[f"{base}/cpufreq/energy_performance_preference"] = "balance_performance\n"
                files[f"{base}/power/energy_perf_bias"] = "6\n"
            files[f"{base}/power/pm_qos_resume_latency_us"] = "0\n"
    return files


def _nodes(spec: Machine) -> dict[str, str | None]:
    numbers = sorted({spot.node for spot in spec.spots} | set(spec.memory_kib))
    files: dict[str, str | None] = {f"{NODE}/online": f"{CpuSet.of(numbers)}\n"}
    for number in numbers:
        here = CpuSet.of(cpu for spot in spec.spots if spot.node == number for cpu in spot.cpus) & spec.online
        memory = spec.memory_kib.get(number, 64 * GIB)
        files[f"{NODE}/node{number}/cpulist"] = f"{here}\n"
        files[f"{NODE}/node{number}/meminfo"] = f"Node {number} MemTotal:       {memory} kB\n"
        distances = " ".join("10" if one == number else "21" for one in numbers)
        files[f"{NODE}/node{number}/distance"] = distances + "\n"
        files[f"{NODE}/node{number}/hugepages/hugepages-2048kB/nr_hugepages"] = "0\n"
        files[f"{NODE}/node{number}/hugepages/hugepages-1048576kB/nr_hugepages"] = "0\n"
    return files


def _nics(spec: Machine) -> dict[str, str | None]:
    files: dict[str, str | None] = {}
    for name, node in spec.nics.items():
        files[f"/sys/class/net/{name}/device/numa_node"] = f"{node}\n"
        files[f"/sys/class/net/{name}/device/vendor"] = "0x8086\n"
        files[f"/sys/class/net/{name}/napi_defer_hard_irqs"] = "0\n"
        files[f"/sys/class/net/{name}/gro_flush_timeout"] = "0\n"
        if name in spec.clocks:
            files[f"/sys/class/net/{name}/device/ptp/ptp0/clock_name"] = "ice-ptp\n"
    return files


def _kernel(spec: Machine) -> dict[str, str | None]:
    release = "6.1.0-56-rt-amd64" if spec.is_realtime else "6.1.0-56-amd64"
    flags = ["fpu", "tsc", *(["hypervisor"] if spec.is_virtual else [])]
    flags += ["constant_tsc", "nonstop_tsc"] if spec.has_invariant_tsc else []
    built = ("NO_HZ_FULL", "RCU_NOCB_CPU", "CPU_ISOLATION", "NUMA", "HUGETLB_PAGE")
    thp = None if spec.is_realtime else "[always] madvise never\n"
    sysctls = {f"/proc/sys/{name.replace('.', '/')}": "1\n" for name in SYSCTL_NAMES}
    sysctls["/proc/sys/kernel/watchdog_cpumask"] = f"{spec.online}\n"
    lacks = RT_LACKS if spec.is_realtime else ()
    preemption = "PREEMPT_RT" if spec.is_realtime else "PREEMPT_DYNAMIC"
    return {
        **sysctls,
        **{f"/proc/sys/{name.replace('.', '/')}": None for name in lacks},
        "/proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz root=UUID=1234 ro quiet\n",
        "/proc/cpuinfo": f"processor\t: 0\nvendor_id\t: {spec.vendor}\nflags\t\t: {' '.join(flags)}\n",
        "/proc/sys/kernel/osrelease": f"{release}\n",
        "/proc/version": f"Linux version {release} #1 SMP {preemption}\n",
        "/sys/kernel/realtime": "1\n" if spec.is_realtime else None,
        f"/boot/config-{release}": "".join(f"CONFIG_{name}=y\n" for name in built),
        f"{THP}/enabled": thp,
        f"{THP}/defrag": thp,
        f"{THP}/khugepaged/defrag": None if spec.is_realtime else "1\n",
        "/sys/kernel/mm/ksm/run": "0\n",
        "/sys/class/misc/cpu_dma_latency/dev": "10:123\n",
        "/sys/devices/system/machinecheck/machinecheck0/check_interval": "300\n",
        "/sys/devices/virtual/workqueue/writeback/cpumask": spec.online.mask_text() + "\n",
        **_frequency(spec),
        "/sys/devices/virtual/workqueue/cpumask": spec.online.mask_text() + "\n",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm\n",
    }


def _frequency(spec: Machine) -> dict[str, str | None]:
    """Turbo, by the driver of the vendor's processors."""
    has_pstate = not spec.is_virtual and spec.vendor == "GenuineIntel"
    return {
        f"{CPU}/intel_pstate/no_turbo": "0\n" if has_pstate else None,
        f"{CPU}/intel_pstate/min_perf_pct": "30\n" if has_pstate else None,
        f"{CPU}/cpufreq/boost": None if has_pstate or spec.is_virtual else "1\n",
    }


def _systemd(spec: Machine) -> dict[str, str | None]:
    installed = ("apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "man-db.timer")
    files: dict[str, str | None] = {
        f"/lib/systemd/system/{unit}": "[Unit]\n" if unit in installed else None for unit in DISTURBING_UNITS
    }
    files[f"/lib/systemd/system/{IRQBALANCE}"] = "[Unit]\n"
    services = (IRQBALANCE, AWAKE_UNIT, *(unit for unit in DISTURBING_UNITS if unit.endswith(".service")))
    files |= {f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs": None for unit in services}
    files[f"/sys/fs/cgroup/system.slice/{IRQBALANCE}/cgroup.procs"] = "412\n"
    files |= {f"{cgroup_of(name)}/cpuset.cpus": None for name in KNOWN_SLICES}
    files["/sys/fs/cgroup/cgroup.controllers"] = "cpuset cpu io memory\n"
    files["/sys/fs/cgroup/cpuset.cpus.effective"] = f"{spec.online}\n"
    files["/sys/fs/cgroup/cgroup.type"] = None
    files["/proc/self/status"] = f"Name:\tgrep\nCpus_allowed_list:\t{spec.online}\n"
    if spec.allowed is not None:
        files["/sys/fs/cgroup/cpuset.cpus.effective"] = f"{spec.allowed}\n"
        files["/sys/fs/cgroup/cgroup.type"] = "domain\n"
        files["/proc/self/status"] = f"Name:\tgrep\nCpus_allowed_list:\t{spec.allowed}\n"
    return files


def _running(spec: Machine) -> dict[str, str | None]:
    """Two interrupts, one of them idle; a thread that can move and one that cannot; PID 1."""
    last = spec.online.last()
    threads = {
        "/proc/14/stat": stat(14, f"ksoftirqd/{last}", BOUND),
        "/proc/15/stat": stat(15, f"ktimers/{last}", BOUND, policy=1, priority=1),
        "/proc/50/stat": stat(50, "irq/24-eth0-rx-", PF_KTHREAD, policy=1, priority=50),
        "/proc/50/status": f"Cpus_allowed_list:\t{last}\n",
    }
    return {
        **(threads if spec.is_realtime else {"/proc/14/stat": threads["/proc/14/stat"]}),
        "/proc/irq/default_smp_affinity": spec.online.mask_text() + "\n",
        "/proc/irq/24/smp_affinity_list": f"{spec.online}\n",
        "/proc/irq/24/effective_affinity_list": f"{last}\n",
        "/sys/kernel/irq/24/actions": "eth0-rx-0\n",
        "/proc/irq/25/smp_affinity_list": f"{last}\n",
        "/sys/kernel/irq/25/actions": "\n",
        "/proc/36/stat": stat(36, "kcompactd0", PF_KTHREAD),
        "/proc/36/status": f"Cpus_allowed_list:\t{spec.online}\n",
        "/proc/14/status": f"Cpus_allowed_list:\t{last}\n",
        "/proc/1/status": f"Cpus_allowed_list:\t{spec.online}\n",
    }


def stat(pid: int, comm: str, flags: int, *, policy: int = 0, priority: int = 0) -> str:
    """A line of /proc/PID/stat of a child of kthreadd, with the fields of proc(5) that are read."""
    fields = ["0"] * 50
    fields[:2], fields[6], fields[19] = ["S", "2"], str(flags), "40"
    fields[37], fields[38] = str(priority), str(policy)
    return f"{pid} ({comm}) {' '.join(fields)}\n"


def tuned(before: Snapshot, plan: Plan) -> Snapshot:
    """The host after the plan was applied and booted; a shell on it is confined to housekeeping CPUs."""
    files, links = dict(before.files), dict(before.links)
    arguments = " ".join(plan.kernel_args())
    files["/proc/cmdline"] = (
        f"{(before.text('/proc/cmdline') or '')} {arguments} panic=10 hft.good=20261121T101500-3f2a9c1b\n"
    )
    files["/proc/self/status"] = f"Cpus_allowed_list:\t{plan.housekeeping}\n"
    for setting in plan.settings:
        if isinstance(setting, UnitState):
            _tune_unit(setting, files, links)
            continue
        match setting:
            case Sysctl() | SysfsValue():
                files[setting.path] = f"{_as_shown(setting, before)}\n"
            case IrqPlacement():
                files["/proc/irq/24/effective_affinity_list"] = f"{setting.cpus.first()}\n"
            case KthreadPlacement():
                for pid in (36, 50):
                    files[f"/proc/{pid}/status"] = f"Cpus_allowed_list:\t{setting.cpus}\n"
            case KthreadPriority():
                pid, comm, flags = THREADS[setting.threads]
                line = stat(pid, comm, flags, policy=1, priority=setting.priority)
                files[f"/proc/{pid}/stat"] = line
            case SliceCpus():
                files[f"/etc/systemd/system/{setting.slice}.d/90-hft.conf"] = f"AllowedCPUs={setting.cpus}\n"
                if not setting.slice.startswith("hft-"):
                    files[f"{cgroup_of(setting.slice)}/cpuset.cpus"] = f"{setting.cpus}\n"
            case Pid1Affinity():
                files["/proc/1/status"] = f"Cpus_allowed_list:\t{setting.cpus}\n"
            case KernelArg() | NicParameter():
                pass
    _keep_nics(plan, files)
    return Snapshot(files, links)


def _keep_nics(plan: Plan, files: dict[str, str | None]) -> None:
    """What the agent recorded of the drivers of ports."""
    ports: dict[str, dict[str, Answer]] = {}
    for setting in plan.settings:
        if isinstance(setting, NicParameter):
            ports.setdefault(setting.device, {})[setting.knob] = KNOBS[setting.knob].value_of(setting.value)
    if ports:
        files[SEEN_NICS_FILE] = SeenNics(boot_id=BOOT_ID, ports=ports).to_json()
        files["/proc/sys/kernel/random/boot_id"] = f"{BOOT_ID}\n"


def _tune_unit(setting: UnitState, files: dict[str, str | None], links: dict[str, str]) -> None:
    """A unit as the plan wants it; one that is to be disabled is, on a host that never had it."""
    group = f"/sys/fs/cgroup/system.slice/{setting.unit}/cgroup.procs"
    if setting.enabled == "enabled":
        links[f"/etc/systemd/system/multi-user.target.wants/{setting.unit}"] = setting.unit
        files[group] = "900\n"
    elif setting.enabled == "masked":
        links[f"/etc/systemd/system/{setting.unit}"] = "/dev/null"
        if setting.unit.endswith(".service"):
            files[group] = None


def _as_shown(setting: Sysctl | SysfsValue, before: Snapshot) -> str:
    """As a kernel prints it: the choice in brackets, a mask with leading zeros."""
    if setting.compare == "choice":
        words = (before.text(setting.path) or setting.value).replace("[", "").replace("]", "").split()
        return " ".join(f"[{word}]" if word == setting.value else word for word in words)
    return (
        f"0000{setting.value}" if setting.compare == "cpumask" and len(setting.value) < 4 else setting.value
    )


def _lab(*, is_realtime: bool) -> Machine:
    spots = tuple(Spot(cpus=(cpu,), node=min(cpu, 1), package=cpu, llc=cpu) for cpu in range(4))
    return Machine(
        spots=spots,
        nics={"enp0s2": 0, "enp1s1": 1, "enp1s2": 1},
        clocks=frozenset({"enp1s1", "enp1s2"}),
        memory_kib={0: 700_000, 1: 760_000},
        is_virtual=True,
        is_realtime=is_realtime,
        has_invariant_tsc=False,
    )


def _with_nodes(spots: Iterable[Spot], numbers: Sequence[int]) -> tuple[Spot, ...]:
    return tuple(replace(spot, node=numbers[spot.node]) for spot in spots)


CASES: dict[str, Machine] = {
    "one-cpu": Machine(spots=grid(cores_per_node=1)),
    "two-cpus": Machine(spots=grid(cores_per_node=2)),
    "two-cores-of-four-threads-each-refused": Machine(spots=grid(cores_per_node=1, threads=8)),
    "three-cpus": Machine(spots=grid(cores_per_node=3)),
    "lab-rt": _lab(is_realtime=True),
    "lab-generic": _lab(is_realtime=False),
    "lab-numa-node-unknown": replace(_lab(is_realtime=True), nics={"enp1s1": -1, "enp1s2": -1}),
    "laptop-smt-adjacent": Machine(spots=grid(cores_per_node=4, threads=2), nics={"wlp2s0": -1}),
    "laptop-smt-interleaved": Machine(spots=grid(cores_per_node=4, threads=2, interleaved=True)),
    "cloud-two-cores-smt": Machine(
        spots=grid(cores_per_node=2, threads=2, interleaved=True),
        nics={"ens5": -1},
        memory_kib={0: 8 * GIB},
        is_virtual=True,
    ),
    "two-sockets-nic-on-node-1": Machine(
        spots=grid(sockets=2, cores_per_node=12, threads=2, interleaved=True),
        nics={"eno1": 0, "enp134s0f0": 1, "enp134s0f1": 1},
        clocks=frozenset({"enp134s0f0"}),
    ),
    "two-sockets-numa-node-unknown": Machine(spots=grid(sockets=2, cores_per_node=8), nics={"eth0": -1}),
    "four-sockets": Machine(spots=grid(sockets=4, cores_per_node=10), nics={"eth0": 2}),
    "nps4-small-caches": Machine(
        spots=grid(sockets=1, nodes_per_socket=4, cores_per_node=8, threads=2, llc_cores=4, interleaved=True),
        nics={"enp65s0f0": 2},
        vendor="AuthenticAMD",
    ),
    "eight-core-caches": Machine(
        spots=grid(sockets=2, cores_per_node=32, llc_cores=8), nics={"enp65s0": 1}, vendor="AuthenticAMD"
    ),
    "snc2": Machine(spots=grid(sockets=2, nodes_per_socket=2, cores_per_node=14), nics={"eth0": 1}),
    "nic-node-holds-only-the-boot-core": Machine(
        spots=(Spot(cpus=(0,)), *(Spot(cpus=(cpu,), node=1, llc=1) for cpu in range(1, 4))), nics={"eth0": 0}
    ),
    "node-of-one-core": Machine(
        spots=(Spot(cpus=(0,)), Spot(cpus=(1,)), Spot(cpus=(2,), node=1, llc=1)), nics={"eth0": 1}
    ),
    "offline-cpus": Machine(spots=grid(cores_per_node=8, threads=2), offline=frozenset({3, 6, 7, 15})),
    "boot-cpu-offline": Machine(spots=grid(cores_per_node=8), offline=frozenset({0, 1})),
    "memoryless-node": Machine(
        spots=grid(sockets=2, cores_per_node=6), nics={"eth0": 1}, memory_kib={0: 32 * GIB, 1: 0}
    ),
    "memory-only-node": Machine(
        spots=grid(cores_per_node=8), nics={"eth0": 0}, memory_kib={0: 32 * GIB, 1: 128 * GIB}
    ),
    "hybrid": Machine(
        spots=(
            *(Spot(cpus=(2 * core, 2 * core + 1)) for core in range(6)),
            *(Spot(cpus=(cpu,)) for cpu in range(12, 20)),
        ),
        slow=frozenset(range(12, 20)),
    ),
    "sparse-node-numbers": Machine(
        spots=_with_nodes(grid(sockets=4, cores_per_node=6), (0, 8, 33, 72)), nics={"eth0": 72}
    ),
    "package-minus-one": Machine(
        spots=grid(cores_per_node=16), package_shown=-1, is_virtual=True, vendor="ARM"
    ),
    "container-of-six": Machine(
        spots=grid(sockets=2, cores_per_node=8), nics={"eth0": 0}, allowed=CpuSet.of(range(6))
    ),
    "container-cuts-a-core": Machine(
        spots=grid(cores_per_node=8, threads=2), allowed=CpuSet.of([1, 2, 3, 4, 5, 6, 7, 8])
    ),
    "power-smt8": Machine(spots=grid(sockets=2, cores_per_node=4, threads=8), nics={"eth0": 1}),
    "hundred-and-twenty-eight": Machine(
        spots=grid(sockets=2, cores_per_node=32, threads=2, interleaved=True),
        nics={"eth0": 1, "eth1": 0},
        clocks=frozenset({"eth0"}),
    ),
    "over-a-thousand": Machine(
        spots=grid(sockets=8, nodes_per_socket=2, cores_per_node=40, threads=2), nics={"eth0": 9}
    ),
}
