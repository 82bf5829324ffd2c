"""Snapshot -> Topology. Pure; one reader for live hosts, recorded cases and captured trees.

Kernel documents: Documentation/admin-guide/cputopology.rst, ABI/stable/sysfs-devices-node,
ABI/testing/sysfs-devices-system-cpu. Firmware and captures are often wrong or incomplete, so every value has
a weaker second source, and what remains unknown becomes a note. Rules worth knowing:

- A core is the set of CPUs that name each other as siblings, in either direction: when tables contradict, the
  larger core is assumed, because a hot CPU must never share a core by mistake.
- A CPU that several NUMA nodes claim belongs to the smallest of them.
- A CPU is ours when the cpuset of the capture allows it. On a whole host (root cgroup, no container) all are:
  there, the tuning itself confined the capturing shell to housekeeping CPUs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuning.cpuset import CPU_DIR, CpuSet
from tuning.errors import SnapshotError
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source
from tuning.topology.devices import driverless, read_nics
from tuning.topology.groups import foreign_groups, is_cgroup_v2, top_slices
from tuning.topology.line import base_pool
from tuning.topology.platform import kernel_symbols, known_knobs, read_platform
from tuning.topology.topology import FASTEST, UNKNOWN_NODE, Core, Node, Topology

NODE_DIR = "/sys/devices/system/node"
PREFERENCE = CPU_DIR + "/cpu{}/cpufreq/energy_performance_preference"
BIAS = CPU_DIR + "/cpu{}/power/energy_perf_bias"
RESUME_LATENCY = CPU_DIR + "/cpu{}/power/pm_qos_resume_latency_us"
FAIR_SERVER = "/sys/kernel/debug/sched/fair_server/cpu{}/runtime"


def read_topology(snapshot: Snapshot) -> Topology:
    """The host of a snapshot; SnapshotError when even its CPUs are unknown."""
    source = Source(snapshot)
    online = _online(source)
    usable = _usable(source, online)
    nodes = _nodes(source, online)
    present = source.cpus(f"{CPU_DIR}/present") or CpuSet.of(source.numbered_cpus())
    boot_cpu = 0 if 0 in online else online.first()
    nics = read_nics(source)
    return Topology(
        usable=usable,
        online=online,
        boot_cpu=boot_cpu,
        offline=present - online,
        cores=_cores(source, online, nodes),
        nodes=nodes,
        nics=nics,
        driverless=driverless(source, nics),
        hugepage_sizes_kib=_hugepage_sizes(source),
        performance_governor=_with_governor(source, usable),
        energy_preference=_with_file(source, usable, PREFERENCE),
        energy_bias=_with_file(source, usable, BIAS),
        resume_latency=_with_file(source, usable, RESUME_LATENCY),
        fair_server=_with_file(source, usable, FAIR_SERVER),
        knobs=known_knobs(snapshot),
        symbols=kernel_symbols(snapshot),
        base_pool=base_pool(snapshot),
        is_cgroup_v2=is_cgroup_v2(snapshot),
        slices=top_slices(snapshot),
        foreign_groups=foreign_groups(snapshot),
        notes=tuple(source.notes),
        **read_platform(source),
    )


def _online(source: Source) -> CpuSet:
    """From the list; else from each cpuN/online; else the CPUs that /proc/cpuinfo lists."""
    listed = source.cpus(f"{CPU_DIR}/online")
    if listed:
        return listed
    numbered = source.numbered_cpus()
    switched = CpuSet.of(
        cpu
        for cpu, names in numbered.items()
        if source.number(f"{CPU_DIR}/cpu{cpu}/online") != 0 and ("online" in names or _is_described(names))
    )
    found = switched or CpuSet.of(_processors(source))
    if not found:
        raise SnapshotError("the snapshot does not say which CPUs are online; capture the host again")
    source.notes.append(f"{CPU_DIR}/online is not known; CPUs {found} are derived from other captured files")
    return found


def _is_described(names: Iterable[str]) -> bool:
    return any(name.startswith(("topology/", "cache/", "cpufreq/")) for name in names)


def _processors(source: Source) -> dict[int, tuple[str, str] | None]:
    """CPUs that /proc/cpuinfo lists, with (physical id, core id) where given; s390 has its own form."""
    found: dict[int, tuple[str, str] | None] = {}
    for block in re.split(r"\n\s*\n", source.snapshot.text("/proc/cpuinfo") or ""):
        fields = {
            name.strip(): value.strip()
            for name, _, value in (line.partition(":") for line in block.splitlines())
        }
        numbers = [fields.get("processor", ""), *(name.removeprefix("processor ") for name in fields)]
        place = (fields.get("physical id", ""), fields.get("core id", ""))
        found |= {
            int(one): place if all(place) else None for one in numbers if re.fullmatch("[0-9]{1,5}", one)
        }
    return found


def _usable(source: Source, online: CpuSet) -> CpuSet:
    """Online CPUs that the capturing cpuset allows."""
    root = source.cpus("/sys/fs/cgroup/cpuset.cpus.effective")
    if root and source.snapshot.is_absent("/sys/fs/cgroup/cgroup.type"):
        return (root & online) or online
    allowed = online if root is None or not root else online & root
    own = (source.snapshot.text("/proc/self/cpuset") or "/").rstrip("/")
    for path in source.below("/") if own else ():
        if path.endswith(tuple(f"{own}/{name}" for name in _CPUSET_FILES)):
            allowed &= source.cpus(path) or allowed
    if not source.snapshot.text("/etc/systemd/system.conf.d/90-hft.conf"):
        allowed &= _affinity(source) or allowed
    if not allowed:
        source.notes.append("the capturing cpuset holds no online CPU; it is ignored")
    return allowed or online


_CPUSET_FILES = ("cpuset.cpus.effective", "cpuset.effective_cpus", "effective_cpus", "cpuset.cpus", "cpus")


def _affinity(source: Source) -> CpuSet | None:
    for line in (source.snapshot.text("/proc/self/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return Source(Snapshot({"/": value}), source.notes).cpus("/")
    return None


def _nodes(source: Source, online: CpuSet) -> tuple[Node, ...]:
    numbers = source.numbered_nodes()
    listed = source.cpus(f"{NODE_DIR}/online")
    claims = {
        number: source.cpus(f"{NODE_DIR}/node{number}/cpulist", f"{NODE_DIR}/node{number}/cpumap") or CpuSet()
        for number in sorted(numbers)
        if not listed or number in listed
    }
    if not claims:
        memory = _memory(source, "/proc/meminfo")
        return (Node(number=0, cpus=online, memory_bytes=memory),)
    owned = _settle_claims(source, claims, online)
    order = list(claims)
    return tuple(
        Node(
            number=number,
            cpus=owned[number],
            memory_bytes=_memory(source, f"{NODE_DIR}/node{number}/meminfo"),
            distances=_distances(source, number, order),
        )
        for number in order
    )


def _settle_claims(source: Source, claims: dict[int, CpuSet], online: CpuSet) -> dict[int, CpuSet]:
    """Each online CPU to one node: of several claims the smallest node's, then the lowest number's."""
    owned = {number: CpuSet() for number in claims}
    taken, contested = CpuSet(), CpuSet()
    for number in sorted(claims, key=lambda one: (len(claims[one]), one)):
        contested |= claims[number] & taken & online
        owned[number] = (claims[number] & online) - taken
        taken |= claims[number]
    if contested:
        source.notes.append(f"CPUs {contested} are claimed by several NUMA nodes; each goes to the smallest")
    if online - taken:
        source.notes.append(f"CPUs {online - taken} belong to no NUMA node as captured: node not known")
    return owned


def _distances(source: Source, number: int, order: list[int]) -> dict[int, int]:
    words = (source.snapshot.text(f"{NODE_DIR}/node{number}/distance") or "").split()
    if len(words) != len(order) or not all(word.isdecimal() and len(word) < 6 for word in words):
        return {}
    return dict(zip(order, map(int, words), strict=True))


def _memory(source: Source, path: str) -> int | None:
    """Bytes of `MemTotal:  1000 kB`, with or without `Node 0` before it."""
    found = re.search(
        r"^(?:Node [0-9]+ )?MemTotal: +([0-9]{1,15}) kB", source.snapshot.text(path) or "", re.MULTILINE
    )
    return int(found[1]) * 1024 if found else None


def _cores(source: Source, online: CpuSet, nodes: tuple[Node, ...]) -> tuple[Core, ...]:
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus}
    groups = _sibling_groups(source, online)
    speeds = _speeds(source, online)
    numbered = source.numbered_cpus()
    cores = []
    for cpus in groups:
        first = cpus.first()
        package = source.number(f"{CPU_DIR}/cpu{first}/topology/physical_package_id")
        llc = _last_level_cache(source, first, numbered.get(first, set())) & online
        cores.append(
            Core(
                cpus=cpus,
                node=node_of.get(first, UNKNOWN_NODE),
                package=None if package == -1 else package,
                llc=llc | cpus if llc else llc,
                speed=max(speeds[cpu] for cpu in cpus),
            )
        )
    return tuple(cores)


def _sibling_groups(source: Source, online: CpuSet) -> list[CpuSet]:
    """Cores by union of all sibling claims."""
    group_of: dict[int, CpuSet] = {cpu: CpuSet.of([cpu]) for cpu in online}
    unknown, one_sided = CpuSet(), CpuSet()
    places = _processors(source)
    for cpu in online:
        base = f"{CPU_DIR}/cpu{cpu}/topology"
        claim = source.cpus(f"{base}/core_cpus_list") or source.cpus(
            f"{base}/thread_siblings_list", f"{base}/thread_siblings"
        )
        if not claim and (place := places.get(cpu)):
            claim = CpuSet.of(one for one, other in places.items() if other == place)
        if not claim:
            unknown |= CpuSet.of([cpu])
            continue
        merged = group_of[cpu]
        for sibling in claim & online:
            merged |= group_of[sibling]
        for sibling in merged:
            group_of[sibling] = merged
        if cpu not in claim:
            one_sided |= CpuSet.of([cpu])
    if unknown:
        source.notes.append(f"siblings of CPUs {unknown} are not known; each counts as a core of its own")
    if one_sided:
        source.notes.append(
            f"CPUs {one_sided} are siblings in one direction only; their cores are merged to be safe"
        )
    return sorted(set(group_of.values()), key=lambda cpus: cpus.first())


def _last_level_cache(source: Source, cpu: int, names: set[str]) -> CpuSet:
    """CPUs that share the highest cache level of CPU; empty when not known."""
    best_level, best = 0, CpuSet()
    for name in sorted(names):
        if not (name.startswith("cache/index") and name.endswith("/level")):
            continue
        base = f"{CPU_DIR}/cpu{cpu}/{name.removesuffix('/level')}"
        level = source.number(f"{base}/level") or 0
        if level > best_level and source.word(f"{base}/type") != "Instruction":
            shared = source.cpus(f"{base}/shared_cpu_list", f"{base}/shared_cpu_map")
            best_level, best = (level, shared) if shared else (best_level, best)
    return best


def _speeds(source: Source, online: CpuSet) -> dict[int, int]:
    """Relative speed of each CPU, by the slowest word of the kernel on it; 1024 when nothing says less.

    cpu_capacity where there is one, the kinds of a hybrid Intel CPU, the highest frequency. Frequencies
    within a tenth of the best are one speed: favoured cores boost a little higher, that is no other kind.
    """
    slower = CpuSet()
    for kind in ("cpu_atom", "cpu_lowpower"):
        slower |= source.cpus(f"/sys/devices/{kind}/cpus") or CpuSet()
    capacity = _shares(source, online, "cpu_capacity")
    frequency = _shares(source, online, "cpufreq/cpuinfo_max_freq")
    speeds = {}
    for cpu in online:
        clock = frequency.get(cpu, FASTEST)
        by_kind = capacity.get(cpu, FASTEST // 2 if cpu in slower else FASTEST)
        speeds[cpu] = min(by_kind, clock if clock < FASTEST * 9 // 10 else FASTEST)
    return speeds


def _shares(source: Source, online: CpuSet, name: str) -> dict[int, int]:
    """CPU -> its share of the largest value of this file, in 1024ths; only of CPUs that have one."""
    values = {cpu: source.number(f"{CPU_DIR}/cpu{cpu}/{name}") for cpu in online}
    known = {cpu: value for cpu, value in values.items() if value and value > 0}
    largest = max(known.values(), default=1)
    return {cpu: value * FASTEST // largest for cpu, value in known.items()}


def _hugepage_sizes(source: Source) -> tuple[int, ...]:
    places = ("/sys/kernel/mm/hugepages/", f"{NODE_DIR}/")
    names = [path for place in places for path in source.below(place) if "/hugepages/hugepages-" in path]
    words = {path.partition("/hugepages/hugepages-")[2].partition("kB/")[0] for path in names}
    return tuple(sorted(int(word) for word in words if word.isdecimal() and 0 < len(word) < 10))


def _with_file(source: Source, usable: CpuSet, path: str) -> CpuSet:
    """The CPUs of which the capture shows this file."""
    return CpuSet.of(cpu for cpu in usable if source.snapshot.files.get(path.format(cpu)) is not None)


def _with_governor(source: Source, usable: CpuSet) -> CpuSet:
    return CpuSet.of(
        cpu
        for cpu in usable
        if "performance"
        in (source.word(f"{CPU_DIR}/cpu{cpu}/cpufreq/scaling_available_governors") or "").split()
    )
