"""Memory: hugepages on the hot node, no transparent ones, no background work that walks or moves pages.

Hugepages are reserved on the command line, where memory is whole, on the node of the hot cores (`hugepages=
NODE:COUNT`, kernel 5.16). Never more than the profile's share of the node: an over-allocated pool leaves a
PREEMPT_RT kernel hanging at boot. The memory that counts and the amount are powers of two, so that some pages
more or less of total memory from boot to boot never change the plan.
"""

from __future__ import annotations

from tuning.errors import PlanError
from tuning.refusal import Code
from tuning.setting import Compare, SysfsValue
from tuning.topology import Node
from tuning.wishes import Wishes, kernel_arg

KIB = 1024
PREFERRED_KIB = 2048
HUGETLB = "Documentation/admin-guide/mm/hugetlbpage.rst"
THP = "/sys/kernel/mm/transparent_hugepage"


def wish_memory(wishes: Wishes) -> None:
    """Hugepage pool, transparent hugepages, page merging."""
    _pool(wishes)
    _transparent(wishes)
    wishes.add_if_present(
        _value(
            "memory.ksm",
            "/sys/kernel/mm/ksm/run",
            "0",
            "text",
            why="page merging scans memory and takes write faults on hot threads",
            source="Documentation/admin-guide/mm/ksm.rst",
        ),
        "/sys/kernel/mm/ksm/run",
        "the kernel has no page merging",
    )


def _pool(wishes: Wishes) -> None:
    profile = wishes.profile
    if profile.hugepage_bytes_most == 0:
        wishes.refuse("cmdline.hugepages", Code.NOT_APPLICABLE_PROFILE, f"profile {profile.name} wants none")
        return
    node = _memory_node(wishes)
    size_kib = _page_size(wishes.topology.hugepage_sizes_kib)
    if node is None or not node.memory_bytes_floor or size_kib is None:
        what = (
            "the hugepage sizes of this kernel are" if node and node.memory_bytes else "the node's memory is"
        )
        _refuse_pool(wishes, Code.HUGEPAGES_UNKNOWN, f"{what} not known")
        return
    share = int(node.memory_bytes_floor * profile.hugepage_share_most)
    count = _power_of_two_below(min(profile.hugepage_bytes_most, share) // (size_kib * KIB))
    if count == 0 or count * size_kib * KIB < profile.hugepage_bytes_min:
        size = f"at least {node.memory_bytes_floor >> 20} MiB"
        stated = f"{profile.hugepage_share_most:.1%} of node {node.number} ({size})"
        wanted = f"{profile.hugepage_bytes_min >> 20} MiB" if profile.hugepage_bytes_min else "even one page"
        _refuse_pool(wishes, Code.HUGEPAGES_SHARE, f"{stated} does not hold {wanted} of {size_kib} KiB pages")
        return
    _plan_pool(wishes, node, size_kib, count)


def _refuse_pool(wishes: Wishes, code: Code, reason: str) -> None:
    """A pool that the profile insists on refuses the host, otherwise only the pool is refused."""
    if wishes.profile.hugepage_bytes_min:
        least = wishes.profile.hugepage_bytes_min >> 20
        raise PlanError(code, f"profile {wishes.profile.name} needs {least} MiB of hugepages, but {reason}")
    wishes.refuse("cmdline.hugepages", code, reason)


def _plan_pool(wishes: Wishes, node: Node, size_kib: int, count: int) -> None:
    total = f"{count * size_kib // KIB} MiB"
    why = (
        f"{total} of {size_kib} KiB pages on node {node.number}, where the hot cores are: no TLB misses there"
    )
    share = f"{wishes.profile.hugepage_share_most:.1%}"
    risk = f"{total} are lost to everything else; never more than {share} of the node"
    is_new = wishes.topology.kernel_at_least(5, 16)
    if is_new is False and len(wishes.topology.nodes) > 1:
        path = f"/sys/devices/system/node/node{node.number}/hugepages/hugepages-{size_kib}kB/nr_hugepages"
        wishes.add(_value("memory.hugepages", path, str(count), "text", why=why, source=HUGETLB, risk=risk))
        return
    wishes.add(kernel_arg("hugepagesz", _size_text(size_kib), why=why, risk=risk, source=HUGETLB))
    value = f"{node.number}:{count}" if len(wishes.topology.nodes) > 1 else str(count)
    wishes.add(kernel_arg("hugepages", value, why=why, risk=risk, source=HUGETLB))
    if is_new is None:
        wishes.notes.append("the kernel's version is not known; hugepages=NODE:COUNT needs 5.16")


def _memory_node(wishes: Wishes) -> Node | None:
    """The hot node, or the nearest with memory where it has none."""
    topology, hot = wishes.topology, wishes.partition.hot_node
    node = topology.node(hot)
    if node is None or node.memory_bytes != 0:
        return node
    others = [one for one in topology.nodes if one.memory_bytes]
    nearest = min(others, key=lambda one: (node.distances.get(one.number, 255), one.number), default=None)
    if nearest:
        wishes.notes.append(f"NUMA node {hot} has no memory; hugepages are on node {nearest.number}")
    return nearest


def _page_size(sizes_kib: tuple[int, ...]) -> int | None:
    if PREFERRED_KIB in sizes_kib:
        return PREFERRED_KIB
    large = [size for size in sizes_kib if size >= KIB]
    return min(large, default=None)


def _size_text(size_kib: int) -> str:
    for unit, scale in (("G", KIB * KIB), ("M", KIB)):
        if size_kib % scale == 0:
            return f"{size_kib // scale}{unit}"
    return f"{size_kib}K"


def _power_of_two_below(count: int) -> int:
    return 1 << count.bit_length() - 1 if count > 0 else 0


def _transparent(wishes: Wishes) -> None:
    why = "no kernel thread collapses pages and no fault stalls while it clears 2 MiB"
    source = "Documentation/admin-guide/mm/transhuge.rst"
    because = "a kernel without transparent hugepages, as PREEMPT_RT kernels are"
    argument = kernel_arg(
        "transparent_hugepage", "never", why=why, risk="programs that live on THP use more TLB", source=source
    )
    wishes.add_if_present(argument, f"{THP}/enabled", because)
    for name in ("enabled", "defrag"):
        value = _value(f"memory.thp_{name}", f"{THP}/{name}", "never", "choice", why=why, source=source)
        wishes.add_if_present(value, f"{THP}/{name}", because)


def _value(  # noqa: PLR0913  # a setting's own fields
    key: str, path: str, value: str, compare: Compare, *, why: str, source: str, risk: str = "none known"
) -> SysfsValue:
    return SysfsValue(
        key=key, path=path, value=value, compare=compare, mode="safe", why=why, source=source, risk=risk
    )
