"""The files of the kernel that change a pool of hugepages, and how many pages a plan wants by each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tuning.compliance.cmdline import parse_cmdline
from tuning.plan.memory import planned_pools
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg, Setting, SysfsValue
from tuning.snapshot.files import Snapshot

DEFAULT_KIB = 2048
_NODE_FILE = re.compile(r"/sys/devices/system/node/node([0-9]+)/hugepages/hugepages-([0-9]+)kB/nr_hugepages")
_UNIT_KIB = {"k": 1, "m": 1024, "g": 1024 * 1024}


def is_pool(setting: Setting) -> bool:
    """Whether a setting reserves hugepages: a boot argument, on older kernels a file."""
    if isinstance(setting, KernelArg):
        return setting.name == "hugepages"
    return isinstance(setting, SysfsValue) and _NODE_FILE.fullmatch(setting.path) is not None


def pool_files(plan: Plan, snapshot: Snapshot) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each file by its names, with the pages of the plan; a size that the plan has none of gets none."""
    totals, by_node = planned_pools(plan.settings), _by_node(plan)
    nodes_dir = "/sys/devices/system/node/"
    there = [match for path in snapshot.below(nodes_dir) if (match := _NODE_FILE.fullmatch(path))]
    sizes = sorted({*totals, *(int(match[2]) for match in there)})
    nodes = sorted({0, *(node for node, _ in by_node), *(int(match[1]) for match in there)})
    for size in sizes:
        leaf = f"hugepages/hugepages-{size}kB/nr_hugepages"
        yield (f"/sys/kernel/mm/{leaf}", f"/sys/kernel/mm/{leaf}_mempolicy"), totals.get(size, 0)
        for node in nodes:
            yield (f"/sys/devices/system/node/node{node}/{leaf}",), by_node[node, size]
    default = _default_kib(plan, snapshot)
    pages = totals.get(default, 0 if default in sizes else -1)
    yield ("/proc/sys/vm/nr_hugepages", "/proc/sys/vm/nr_hugepages_mempolicy"), pages


def _by_node(plan: Plan) -> Counter[tuple[int, int]]:
    """(node, size in KiB) -> pages; a count without a node is one of the only node."""
    found = Counter[tuple[int, int]]()
    for one in plan.settings:
        if isinstance(one, SysfsValue) and (match := _NODE_FILE.fullmatch(one.path)):
            found[int(match[1]), int(match[2])] += int(one.value)
    size = DEFAULT_KIB
    for one in plan.settings:
        if isinstance(one, KernelArg) and one.name in ("hugepagesz", "default_hugepagesz"):
            size = _kib(one.value)
        elif isinstance(one, KernelArg) and one.name == "hugepages":
            for part in one.value.split(","):
                node, _, count = part.rpartition(":")
                found[int(node or 0), size] += int(count)
    return found


def _kib(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([kKmMgG])", text)
    return int(match[1]) * _UNIT_KIB[match[2].lower()] if match else 0


def _default_kib(plan: Plan, snapshot: Snapshot) -> int:
    """The size of vm.nr_hugepages: by the line, else the architecture's usual one."""
    words = [*parse_cmdline(snapshot.text("/proc/cmdline") or "")]
    words += [(one.name, one.value) for one in plan.settings if isinstance(one, KernelArg)]
    sizes = [value for name, value in words if name == "default_hugepagesz"]
    return _kib(sizes[-1]) if sizes else DEFAULT_KIB
