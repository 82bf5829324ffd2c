"""glob(7) with braces, as systemd's programs use glob(3), decided for one path without its file system.

A pattern reaches a path, or it does not, or text alone does not tell: classes with a name, braces beside
brackets, backslashes, and another way to the same file through links of sysfs (`/sys/bus/cpu/devices/cpu2` is
`/sys/devices/system/cpu/cpu2`). What is not decided is None and is never taken for "does not".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

WILD = re.compile(r"[*?\[]")
CLASSES = re.compile(
    r"\[[!^]?(?:[^\]\[]*\[[:.=][^\]]*[:.=]\])+[^\]]*\]"
)  # a bracket with a class: one character
BRACE_IN_BRACKET = re.compile(r"\[[^\]]*[{}]")
EXPANDED_MAX = 64


def simplified(path: str) -> str:
    """path_simplify() of systemd: no empty component and no `.`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def names_of(path: str, sharing: Mapping[int, frozenset[int]]) -> tuple[str, ...]:
    """The names of a file of the kernel, its own first: a frequency policy is shown below each CPU it covers.

    SHARING: for a CPU, all of its policy. /sys/devices/system/cpu/cpuN/cpufreq is a link to cpufreq/policyM.
    """
    found = re.fullmatch(r"(/sys/devices/system/cpu)/cpu([0-9]+)/cpufreq/([^/]+)", path)
    if found is None:
        return (path,)
    above, cpu, leaf = found[1], int(found[2]), found[3]
    cpus = sorted({cpu} | sharing.get(cpu, frozenset()))
    below = [f"{above}/cpu{one}/cpufreq/{leaf}" for one in cpus if one != cpu]
    return (path, *below, *(f"{above}/cpufreq/policy{one}/{leaf}" for one in cpus))


def reaches(pattern: str, names: Iterable[str]) -> bool | None:
    """Whether a pattern stands for a file, which is known by these absolute names; None: it may."""
    names = tuple(names)
    plain = CLASSES.sub("?", pattern)
    expanded = _without_braces(plain)
    if expanded is None:
        head = re.split(r"[*?\[{}\\]", pattern)[0]
        return None if any(name.startswith(head) for name in names) else False
    ways = [simplified(one).replace("[^", "[!") for one in expanded]
    if any(_matches(one, name) for one in ways for name in names):
        return None if plain != pattern or {*"[{"} <= {*pattern} else True
    return None if any(_may_be_linked(one, name) for one in ways for name in names) else False


def _without_braces(pattern: str) -> list[str] | None:
    """`{a,b}` as two patterns, from the inside out; None where the text does not tell."""
    if "\\" in pattern or BRACE_IN_BRACKET.search(pattern):
        return None
    found, done = [pattern], list[str]()
    while found:
        one = found.pop()
        inner = re.search(r"\{([^{}]*)\}", one)
        if inner is None:
            if "{" in one or "}" in one:
                return None  # not balanced
            done.append(one)
            continue
        found += [one[: inner.start()] + word + one[inner.end() :] for word in inner[1].split(",")]
        if len(found) + len(done) > EXPANDED_MAX:
            return None
    return done


def _matches(pattern: str, path: str) -> bool:
    """Component by component: a star never matches a slash."""
    here, there = pattern.split("/"), path.split("/")
    return len(here) == len(there) and all(map(fnmatchcase, there, here))


def _may_be_linked(pattern: str, path: str) -> bool:
    """Below /sys or /proc, by another way, to what ends like this file from its numbered object on."""
    here, there = pattern.split("/"), path.split("/")
    numbered = next((at for at, part in enumerate(there) if re.search(r"[0-9]", part)), len(there))
    tail = max(2, len(there) - numbered)
    if len(here) <= tail or not any(fnmatchcase(root, here[1]) for root in ("sys", "proc")):
        return False
    return all(map(fnmatchcase, there[-tail:], here[-tail:]))
