"""Hugepages: every pool of the host against what the plan reserves, and the files that change a pool."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.kernel_line import words_of_line
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from tuning.plan.setting import KernelArg, Setting, SysfsValue

_POOL = re.compile(r"([0-9]{1,5})/hugepages/hugepages-([0-9]{1,9})kB")
_SIZE = re.compile(r"([0-9]{1,9})([kKmMgG])")
_FILE = re.compile(r"/sys/devices/system/node/node([0-9]+)/hugepages/hugepages-([0-9]+)kB/nr_hugepages")
_UNITS = {"k": 1, "m": 1024, "g": 1024 * 1024}


def hugepages(expected: Expected, facts: Facts) -> Finding:
    """Each node has the hugepages that the plan's command line reserves, of each size, and no others."""
    check, why = "memory.hugepages", "a pool on the wrong node makes every memory access of the engine remote"
    args = [
        (raw["name"], str(raw["value"])) for _, raw in expected.settings if raw.get("kind") == "kernel_arg"
    ]
    wanted = _pages_wanted(args)
    if not wanted:
        return not_applicable(check, "not_in_plan", "the plan reserves no hugepages at boot", why=why)
    seen = _pages_seen(facts)
    known = {*seen, *((size, None) for size, _ in seen)}
    unknown = [pool for pool in wanted if pool not in known]
    if lost := sorted(path for path in facts.lost if path.endswith("/nr_hugepages")):
        return unverifiable(check, *facts.unknown(lost[0]), why=why)
    if unknown:
        size, node = unknown[0]
        said = f"the pages of {size} kB on {'all nodes' if node is None else f'node {node}'} are not known"
        return unverifiable(check, "not_read", said, why=why)
    wrong = [_differs(pool, count, seen) for pool, count in wanted.items()]
    wrong += [
        f"{count} of {size} kB on node {node}, which the plan does not give"
        for (size, node), count in seen.items()
        if count and (size, node) not in wanted and (size, None) not in wanted
    ]
    if found := [one for one in wrong if one]:
        return violated(check, "hugepages_differ", "; ".join(found), why=why)
    return ok(check, f"{sum(wanted.values())} pages, where the plan wants them", why=why)


def _differs(pool: tuple[int, str | None], count: int, seen: dict[tuple[int, str], int]) -> str:
    size, node = pool
    total = sum(n for (kb, where), n in seen.items() if kb == size and node in (None, where))
    there = "all nodes" if node is None else f"node {node}"
    return "" if total == count else f"{total} instead of {count} of {size} kB on {there}"


def _pages_seen(facts: Facts) -> dict[tuple[int, str], int]:
    """(size in kB, node) -> pages."""
    found = {}
    for key, text in facts.under("/sys/devices/system/node/node", "/nr_hugepages").items():
        pool = _POOL.fullmatch(key)
        if pool is None or not (text.isascii() and text.isdigit()):
            raise CheckError(f"not a number of hugepages: node{key}: {text[:20]!r}")
        found[(int(pool[2]), pool[1])] = int(text)
    return found


def _pages_wanted(args: list[tuple[str, str]]) -> dict[tuple[int, str | None], int]:
    """(size in kB, node or None for all) -> pages; `hugepages=` counts pages of the preceding size."""
    size_kb, wanted = 2048, {}
    for name, value in args:
        if name in ("hugepagesz", "default_hugepagesz"):
            size = _SIZE.fullmatch(value)
            if size is None:
                raise CheckError(f"not a size of pages: {value[:20]!r}")
            size_kb = int(size[1]) * _UNITS[size[2].lower()]
        elif name == "hugepages":
            for part in value.split(","):
                node, colon, count = part.rpartition(":")
                if not (count.isascii() and count.isdigit()):
                    raise CheckError(f"not a number of pages: {part[:20]!r}")
                wanted[(size_kb, node if colon else None)] = int(count)
    return wanted


def counts_pages(setting: Setting) -> bool:
    """Whether a setting reserves hugepages: by a boot argument, or on older kernels by a file."""
    match setting:
        case KernelArg():
            return setting.name == "hugepages"
        case SysfsValue():
            return _FILE.fullmatch(setting.path) is not None
        case _:
            return False


def pool_files(expected: Expected, facts: Facts) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every file of the kernel that changes a pool, by its names, and the pages that the plan wants by it."""
    args = [(one.name, one.value) for one, _ in expected.settings if isinstance(one, KernelArg)]
    wanted = _pages_wanted(args)
    for one, _ in expected.settings:
        if isinstance(one, SysfsValue) and (file := _FILE.fullmatch(one.path)):
            wanted[int(file[2]), file[1]] = int(one.value)
    pools = {(int(file[2]), file[1]) for path in facts.files if (file := _FILE.fullmatch(path))}
    pools |= {(size, node or "0") for size, node in wanted}
    total = {size: sum(n for (kb, _), n in wanted.items() if kb == size) for size, _ in pools}
    for size, node in sorted(pools):
        count = wanted.get((size, node), wanted.get((size, None), 0))
        yield (f"/sys/devices/system/node/node{node}/hugepages/hugepages-{size}kB/nr_hugepages",), count
    for size, count in sorted(total.items()):
        folder = f"/sys/kernel/mm/hugepages/hugepages-{size}kB"
        yield (f"{folder}/nr_hugepages", f"{folder}/nr_hugepages_mempolicy"), count
    default = _default_kb([*words_of_line(facts.text("/proc/cmdline") or ""), *args])
    names = ("/proc/sys/vm/nr_hugepages", "/proc/sys/vm/nr_hugepages_mempolicy")
    yield names, total.get(default, -1)  # a size of which no pool is known: any number is another one


def _default_kb(args: list[tuple[str, str]]) -> int:
    sizes = [
        size for name, value in args if name == "default_hugepagesz" and (size := _SIZE.fullmatch(value))
    ]
    return int(sizes[-1][1]) * _UNITS[sizes[-1][2].lower()] if sizes else 2048
