"""Memory: hugepages on the hot node, no transparent ones, no background work on pages, no swap if so wished.

Hugepages are reserved on the command line, while memory is not yet fragmented, on the node of the hot cores
(`hugepages=NODE:COUNT`, kernel 5.16). Never more than the profile's share of the node: an over-allocated pool
leaves a PREEMPT_RT kernel hanging at boot. Node memory and pool size are rounded to powers of two, so that
total memory differing by a few pages from boot to boot never changes the plan.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tuning.errors import PlanError
from tuning.plan.builder import PlanBuilder, kernel_arg
from tuning.plan.refusal import Code
from tuning.plan.setting import Compare, KernelArg, Setting, SysfsValue, UnitState
from tuning.topology.topology import Node
from tuning.units import SWAP

KIB = 1024
GIB = 1024 * 1024 * 1024
PREFERRED_KIB = 2048
HUGETLB = "Documentation/admin-guide/mm/hugetlbpage.rst"
THP = "/sys/kernel/mm/transparent_hugepage"
_UNIT_KIB = {"G": KIB * KIB, "M": KIB, "K": 1}
_POOL = re.compile(r"/sys/devices/system/node/node[0-9]+/hugepages/hugepages-([0-9]+)kB/nr_hugepages")


def plan_memory(builder: PlanBuilder) -> None:
    """Hugepage pool, transparent hugepages, page merging."""
    _pool(builder)
    _transparent(builder)
    _swap(builder)
    builder.add_if_present(
        _value(
            "memory.ksm",
            "/sys/kernel/mm/ksm/run",
            "0",
            "text",
            why="KSM scans memory and causes write faults in hot threads",
            source="Documentation/admin-guide/mm/ksm.rst",
        ),
        "/sys/kernel/mm/ksm/run",
        "the kernel is built without KSM",
    )


def _swap(builder: PlanBuilder) -> None:
    """No boot takes swap into use; what is in use now goes with that boot, or by swapoff(8)."""
    key = "memory.swap"
    if builder.profile.swap == "as-is":
        builder.refuse(key, Code.NOT_APPLICABLE_PROFILE, "swap as-is leaves what the host has")
        return
    builder.add(
        UnitState(
            key=key,
            unit=SWAP,
            enabled="masked",
            active=None,
            mode="safe",
            why="no page of a program is ever read back from a disk",
            risk="memory that runs out ends programs sooner",
            source="systemd.special(7); swapoff(8)",
        )
    )


def _pool(builder: PlanBuilder) -> None:
    profile = builder.profile
    if builder.topology.base_pool:
        theirs = " ".join(builder.topology.base_pool)
        said = f"the command line already reserves {theirs}: kept as it is, and nothing is reserved beside it"
        builder.refuse("cmdline.hugepages", Code.HUGEPAGES_THEIRS, said)
        return
    _large_pool(builder)
    if profile.hugepage_bytes_most == 0:
        builder.refuse("cmdline.hugepages", Code.NOT_APPLICABLE_PROFILE, f"profile {profile.name} wants none")
        return
    node = _memory_node(builder)
    size_kib = _page_size(builder.topology.hugepage_sizes_kib)
    if node is None or not node.memory_bytes_floor or size_kib is None:
        what = (
            "the hugepage sizes of this kernel are" if node and node.memory_bytes else "the node's memory is"
        )
        _refuse_pool(builder, Code.HUGEPAGES_UNKNOWN, f"{what} not known")
        return
    share = int(node.memory_bytes_floor * profile.hugepage_share_most) - profile.pages_1gib * GIB
    count = _power_of_two_below(min(profile.hugepage_bytes_most, share) // (size_kib * KIB))
    if count == 0 or count * size_kib * KIB < profile.hugepage_bytes_min:
        size = f"at least {node.memory_bytes_floor >> 20} MiB"
        stated = f"{profile.hugepage_share_most:.1%} of node {node.number} ({size})"
        wanted = f"{profile.hugepage_bytes_min >> 20} MiB" if profile.hugepage_bytes_min else "even one page"
        _refuse_pool(
            builder, Code.HUGEPAGES_SHARE, f"{stated} does not hold {wanted} of {size_kib} KiB pages"
        )
        return
    _plan_pool(builder, node, size_kib, count)


def _large_pool(builder: PlanBuilder) -> None:
    """Pages of 1 GiB on the hot node; PlanError where they do not fit: what asked for them does not start."""
    wanted, topology = builder.profile.pages_1gib, builder.topology
    if not wanted:
        return
    node, asked = _memory_node(builder), f"profile {builder.profile.name} needs {wanted} pages of 1 GiB"
    if GIB // KIB not in topology.hugepage_sizes_kib:
        raise PlanError(Code.HUGEPAGES_UNKNOWN, f"{asked}, and this host shows none of that size (pdpe1gb)")
    if node is None or not node.memory_bytes_floor:
        raise PlanError(Code.HUGEPAGES_UNKNOWN, f"{asked}, but the node's memory is not known")
    if len(topology.nodes) > 1 and topology.kernel_at_least(5, 16) is False:
        said = f"{asked} on node {node.number}, and kernels place them by node at boot from 5.16"
        raise PlanError(Code.HUGEPAGES_UNKNOWN, f"{said}, this is {topology.kernel_release}")
    share = builder.profile.hugepage_share_most
    if wanted * GIB > node.memory_bytes_floor * share:
        size = f"at least {node.memory_bytes_floor >> 20} MiB"
        said = f"{share:.1%} of node {node.number} ({size}) does not hold them; hint: hugepage_share_most"
        raise PlanError(Code.HUGEPAGES_SHARE, f"{asked}, but {said}")
    why = f"{wanted} pages of 1 GiB on node {node.number}, local to the hot cores: one TLB entry for each"
    risk = f"{wanted} GiB are unavailable to everything else"
    count = f"{node.number}:{wanted}" if len(topology.nodes) > 1 else str(wanted)
    for name, value in (("hugepagesz", "1G"), ("hugepages", count)):
        builder.add(
            KernelArg(
                key=f"cmdline.{name}.1G",
                name=name,
                value=value,
                mode="boot",
                why=why,
                risk=risk,
                source=HUGETLB,
            )
        )


def _refuse_pool(builder: PlanBuilder, code: Code, reason: str) -> None:
    """Refuse the host when the profile requires a pool, otherwise only the pool."""
    if builder.profile.hugepage_bytes_min:
        least = builder.profile.hugepage_bytes_min >> 20
        raise PlanError(code, f"profile {builder.profile.name} needs {least} MiB of hugepages, but {reason}")
    builder.refuse("cmdline.hugepages", code, reason)


def _plan_pool(builder: PlanBuilder, node: Node, size_kib: int, count: int) -> None:
    total = f"{count * size_kib // KIB} MiB"
    why = f"{total} of {size_kib} KiB pages on node {node.number}, local to the hot cores: fewer TLB misses"
    share = f"{builder.profile.hugepage_share_most:.1%}"
    risk = f"{total} are unavailable to everything else; never more than {share} of the node"
    is_new = builder.topology.kernel_at_least(5, 16)
    if is_new is False and len(builder.topology.nodes) > 1:
        path = f"/sys/devices/system/node/node{node.number}/hugepages/hugepages-{size_kib}kB/nr_hugepages"
        builder.add(_value("memory.hugepages", path, str(count), "text", why=why, source=HUGETLB, risk=risk))
        return
    builder.add(kernel_arg("hugepagesz", _size_text(size_kib), why=why, risk=risk, source=HUGETLB))
    value = f"{node.number}:{count}" if len(builder.topology.nodes) > 1 else str(count)
    builder.add(kernel_arg("hugepages", value, why=why, risk=risk, source=HUGETLB))
    if is_new is None:
        builder.notes.append("the kernel's version is not known; hugepages=NODE:COUNT needs 5.16")


def planned_pools(settings: Iterable[Setting]) -> dict[int, int]:
    """Page size in KiB -> pages over all nodes, read back from the settings that `_plan_pool` adds."""
    size_kib, found = PREFERRED_KIB, Counter[int]()
    for one in settings:
        match one:
            case KernelArg(name="hugepagesz" | "default_hugepagesz"):
                size_kib = int(one.value[:-1]) * _UNIT_KIB[one.value[-1]]
            case KernelArg(name="hugepages"):
                found[size_kib] += sum(int(part.rpartition(":")[2]) for part in one.value.split(","))
            case SysfsValue() if pool := _POOL.fullmatch(one.path):
                found[int(pool[1])] += int(one.value)
            case _:
                continue
    return dict(found)


def _memory_node(builder: PlanBuilder) -> Node | None:
    """The hot node, or the nearest with memory where it has none."""
    topology, hot = builder.topology, builder.partition.hot_node
    node = topology.node(hot)
    if node is None or node.memory_bytes != 0:
        return node
    others = [one for one in topology.nodes if one.memory_bytes]
    nearest = min(others, key=lambda one: (node.distances.get(one.number, 255), one.number), default=None)
    if nearest:
        builder.notes.append(f"NUMA node {hot} has no memory; hugepages are placed on node {nearest.number}")
    return nearest


def _page_size(sizes_kib: tuple[int, ...]) -> int | None:
    if PREFERRED_KIB in sizes_kib:
        return PREFERRED_KIB
    large = [size for size in sizes_kib if size >= KIB]
    return min(large, default=None)


def _size_text(size_kib: int) -> str:
    unit, scale = next((unit, scale) for unit, scale in _UNIT_KIB.items() if size_kib % scale == 0)
    return f"{size_kib // scale}{unit}"


def _power_of_two_below(count: int) -> int:
    return 1 << count.bit_length() - 1 if count > 0 else 0


def _transparent(builder: PlanBuilder) -> None:
    why = "khugepaged collapses no pages and no page fault stalls while it zeroes 2 MiB"
    source = "Documentation/admin-guide/mm/transhuge.rst"
    because = "a kernel without transparent hugepages, as PREEMPT_RT kernels are"
    argument = kernel_arg(
        "transparent_hugepage",
        "never",
        why=why,
        risk="programs that rely on THP miss the TLB more",
        source=source,
    )
    builder.add_if_present(argument, f"{THP}/enabled", because)
    for name in ("enabled", "defrag"):
        value = _value(f"memory.thp_{name}", f"{THP}/{name}", "never", "choice", why=why, source=source)
        builder.add_if_present(value, f"{THP}/{name}", because)


def _value(  # noqa: PLR0913  # a setting's own fields
    key: str, path: str, value: str, compare: Compare, *, why: str, source: str, risk: str = "none known"
) -> SysfsValue:
    return SysfsValue(
        key=key, path=path, value=value, compare=compare, mode="safe", why=why, source=source, risk=risk
    )
