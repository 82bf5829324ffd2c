"""Snapshot -> Topology. Pure; one reader for live hosts, recorded cases and captured trees.

Kernel documents: Documentation/admin-guide/cputopology.rst, ABI/stable/sysfs-devices-node,
ABI/testing/sysfs-devices-system-cpu. Firmware and captures are often wrong or thin, so everything has a
weaker second source, and what stays open is a note. Rules worth knowing:

- A core is the set of CPUs that name each other as siblings, in either direction: when tables contradict, the
  larger core is taken, because a hot CPU must never share one by mistake.
- A CPU that several NUMA nodes claim belongs to the smallest of them.
- CPUs are ours when the cpuset of the capture allows them. On a whole host (control group root, no container)
  all are: that the capturing shell was itself confined to housekeeping CPUs is our own doing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuning.cpuset import CpuSet
from tuning.errors import SnapshotError
from tuning.platform import kernel_symbols, known_knobs, read_platform
from tuning.reader_devices import read_nics
from tuning.snapshot import Snapshot
from tuning.source import Source
from tuning.topology import FASTEST, UNKNOWN_NODE, Core, Node, Topology

CPU_DIR = "/sys/devices/system/cpu"
NODE_DIR = "/sys/devices/system/node"


def read_topology(snapshot: Snapshot) -> Topology:
    """The host of a snapshot; SnapshotError when not even its CPUs can be told."""
    source = Source(snapshot)
    online = _online(source)
    usable = _usable(source, online)
    nodes = _nodes(source, online)
    present = source.cpus(f"{CPU_DIR}/present") or CpuSet.of(source.numbered_cpus())
    boot_cpu = 0 if 0 in online else online.first()
    return Topology(
        usable=usable,
        online=online,
        boot_cpu=boot_cpu,
        offline=present - online,
        cores=_cores(source, online, nodes),
        nodes=nodes,
        nics=read_nics(source),
        hugepage_sizes_kib=_hugepage_sizes(source),
        performance_governor=_with_governor(source, usable),
        knobs=known_knobs(snapshot),
        symbols=kernel_symbols(snapshot),
        notes=tuple(source.notes),
        **read_platform(source),
    )


def _online(source: Source) -> CpuSet:
    """From the list; else each cpuN's own switch; else the CPUs that /proc/cpuinfo numbers."""
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
    source.notes.append(f"{CPU_DIR}/online is not known; CPUs {found} are taken from what else was captured")
    return found


def _is_described(names: Iterable[str]) -> bool:
    return any(name.startswith(("topology/", "cache/", "cpufreq/")) for name in names)


def _processors(source: Source) -> dict[int, tuple[str, str] | None]:
    """CPUs that /proc/cpuinfo numbers, with (physical id, core id) where told; s390 has its own form."""
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
        source.notes.append("the capturing cpuset holds no online CPU; it is not believed")
    return allowed or online


_CPUSET_FILES = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus", "cpus")


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
        source.notes.append(f"CPUs {contested} are claimed by several NUMA nodes; the smallest node has each")
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
            f"CPUs {one_sided} do not name themselves as siblings; cores are joined to be safe"
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
    """Relative speed of each CPU: cpu_capacity, else the kind of a hybrid Intel CPU; 1024 when not known."""
    capacity = {cpu: source.number(f"{CPU_DIR}/cpu{cpu}/cpu_capacity") for cpu in online}
    known = [value for value in capacity.values() if value and value > 0]
    atoms = source.cpus("/sys/devices/cpu_atom/cpus") or CpuSet()
    speeds = {}
    for cpu in online:
        value = capacity[cpu]
        if known and value and value > 0:
            speeds[cpu] = value * FASTEST // max(known)
        else:
            speeds[cpu] = FASTEST // 2 if cpu in atoms else FASTEST
    return speeds


def _hugepage_sizes(source: Source) -> tuple[int, ...]:
    names = [path for path in source.below("/sys/") if "/hugepages/hugepages-" in path]
    words = {path.partition("/hugepages/hugepages-")[2].partition("kB/")[0] for path in names}
    return tuple(sorted(int(word) for word in words if word.isdecimal() and 0 < len(word) < 10))


def _with_governor(source: Source, usable: CpuSet) -> CpuSet:
    return CpuSet.of(
        cpu
        for cpu in usable
        if "performance"
        in (source.word(f"{CPU_DIR}/cpu{cpu}/cpufreq/scaling_available_governors") or "").split()
    )
