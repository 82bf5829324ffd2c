"""The kernel command line, read the way the kernel does (lib/cmdline.c, kernel/params.c).

Blanks separate arguments unless they are inside double quotes; quotes around a value or a whole argument are
dropped, others stay; `-` and `_` are the same in names; what follows a lone `--` belongs to init. The last
occurrence of an argument decides, with two exceptions: the isolation lists are not overridden by a later
one, so every occurrence must agree, and a hugepage count belongs to the size before it, so the whole
sequence must.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

Argument = tuple[str, str]

CPU_LISTS = frozenset({"isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"})
ALL_MUST_AGREE = frozenset({"isolcpus", "nohz_full"})
IN_SEQUENCE = frozenset({"default_hugepagesz", "hugepagesz", "hugepages"})
ISOLCPUS_FLAGS = frozenset({"nohz", "domain", "managed_irq"})
_WORD = re.compile(r'(?:[^ \t\n\v\f\r"]|"[^"]*(?:"|$))+')  # a quote may open and close anywhere in a word


def parse_cmdline(text: str) -> tuple[Argument, ...]:
    """The kernel's own arguments in order, as (name, value); a bare word has the empty value."""
    found = []
    for word in _WORD.findall(text):
        name, value = _argument(word)
        if name == "--" and value is None:
            break
        found.append((_canonical(name), value or ""))
    return tuple(found)


def _argument(word: str) -> tuple[str, str | None]:
    """Name and value, without the quotes around the whole word or around the value; others stay."""
    whole = word.startswith('"')
    bare = word[1:].removesuffix('"') if whole else word
    equals = bare.find("=", 1)  # a name is never empty
    if equals < 0:
        return bare, None
    name, value = bare[:equals], bare[equals + 1 :]
    if value.startswith('"'):
        value = value[1:] if whole else value[1:].removesuffix('"')
    return name, value


def running_value(running: Sequence[Argument], name: str) -> str | None:
    """An argument's value on the command line, for display; None when it is not there."""
    values = [value for one, value in running if one == _canonical(name)]
    return values[-1] if values else None


def is_satisfied(
    wanted: Argument, running: Sequence[Argument], planned: Sequence[Argument], cpu_count: int | None
) -> bool:
    """Whether the running command line satisfies the plan's argument."""
    name, value = _canonical(wanted[0]), wanted[1]
    if name in IN_SEQUENCE:
        return _sequence(running) == _sequence(planned)
    values = [seen for one, seen in running if one == name]
    if not values:
        return False
    if name not in CPU_LISTS:
        return values[-1] == value
    judged = values if name in ALL_MUST_AGREE else values[-1:]
    try:
        meaning = _meaning(value, cpu_count)
        return all(_meaning(seen, cpu_count) == meaning for seen in judged)
    except CpuListError:
        return False


def _canonical(name: str) -> str:
    return name.replace("-", "_")


def _sequence(arguments: Sequence[Argument]) -> list[Argument]:
    return [(_canonical(name), value) for name, value in arguments if _canonical(name) in IN_SEQUENCE]


def _meaning(value: str, cpu_count: int | None) -> tuple[frozenset[str], CpuSet]:
    """Flags of isolcpus (none for the others) and the CPUs."""
    words = value.split(",")
    flags = 0
    while flags < len(words) and words[flags] in ISOLCPUS_FLAGS:
        flags += 1
    return frozenset(words[:flags]), CpuSet.parse_list(",".join(words[flags:]), cpu_count)
