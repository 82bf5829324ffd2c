"""Kernel arguments that take back what a plan wants, as one table of values.

A word such as `nohz=off` is in no plan and yet undoes `nohz_full`; a check of the planned words alone never
sees it. Planner, doctor and checks read this table; a trial boot leaves such arguments out.
Source of all rows: Documentation/admin-guide/kernel-parameters.txt, or kernel-command-line(7) of systemd.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

FALSE = ("0", "no", "n", "false", "f", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """An argument, the values that take something back, and the keys that are lost.

    WHEN: `any` value; `is` one of VALUES; `is_not` one of them; `lists` one of them, in any occurrence (they
    add up); `below`: a number of CPUs that leaves a planned one out.
    """

    name: str
    when: Literal["any", "is", "is_not", "lists", "below"]
    takes: tuple[str, ...]
    why: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A word of a command line, the keys of the plan that it takes back, and how."""

    name: str
    word: str
    keys: tuple[str, ...]
    why: str


ISOLATION = ("cmdline.isolcpus", "cmdline.nohz_full", "cmdline.rcu_nocbs")
SLICES = ("slice.*",)
TABLE: tuple[Taker, ...] = (
    Taker(
        name="nohz",
        when="is",
        values=FALSE,
        takes=("cmdline.nohz_full",),
        why="the tick never stops, on no CPU",
    ),
    Taker(
        name="highres",
        when="is",
        values=FALSE,
        takes=("cmdline.nohz_full",),
        why="without high resolution timers the tick is not stopped",
    ),
    Taker(
        name="clocksource",
        when="is_not",
        values=("tsc",),
        takes=("cmdline.tsc", "clock.source"),
        why="the kernel reads time from another clock",
    ),
    Taker(
        name="notsc",
        when="any",
        takes=("cmdline.tsc", "clock.source"),
        why="the kernel does not use the TSC",
    ),
    *(
        Taker(name=name, when="below", takes=ISOLATION, why="CPUs of the plan do not come up")
        for name in ("maxcpus", "nr_cpus", "possible_cpus")
    ),
    Taker(name="nosmp", when="any", takes=ISOLATION, why="one CPU comes up"),
    *(
        Taker(
            name=name,
            when="any",
            takes=("cmdline.irqaffinity", "irq.*"),
            why="interrupts go through the old controller to one CPU",
        )
        for name in ("noapic", "nolapic")
    ),
    *(
        Taker(
            name=name,
            when="is",
            values=("disable",),
            takes=("power.governor.*",),
            why="the driver that the frequency governor was planned for is not used",
        )
        for name in ("intel_pstate", "amd_pstate")
    ),
    Taker(name="cpufreq.off", when="is", values=("1",), takes=("power.governor.*",), why="no governor runs"),
    Taker(
        name="cgroup_disable",
        when="lists",
        values=("cpuset",),
        takes=SLICES,
        why="slices cannot be kept to CPUs",
    ),
    Taker(
        name="systemd.unified_cgroup_hierarchy",
        when="is",
        values=FALSE,
        takes=SLICES,
        why="AllowedCPUs= works with control groups of version 2 only",
    ),
    Taker(
        name="systemd.cpu_affinity",
        when="any",
        takes=("pid1.affinity",),
        why="it overrides CPUAffinity= of system.conf",
    ),
    Taker(
        name="numa",
        when="lists",
        values=("off",),
        takes=("cmdline.hugepages", "cmdline.hugepagesz"),
        why="pages of a node are not where the plan puts them",
    ),
    Taker(
        name="amd_iommu",
        when="is",
        values=("off",),
        takes=("cmdline.iommu",),
        why="no IOMMU confines the DMA of user-space drivers",
    ),
)


def words_that_take_back(
    words: Sequence[tuple[str, str]], planned: Collection[str] | None, cpu_count: int | None
) -> tuple[TakenBack, ...]:
    """The words of a line that take back keys of a plan (None: of any plan).

    WORDS are (name with `_`, value). CPU_COUNT is the number of CPUs that the plan needs; None: not known.
    """
    found = []
    for row in TABLE:
        keys = row.takes if planned is None else _lost(row, planned)
        values = [value for name, value in words if name == row.name.replace("-", "_")]
        if keys and values and _acts(row, values, cpu_count):
            word = f"{row.name}={values[-1]}" if values[-1] else row.name
            found.append(TakenBack(name=row.name, word=word, keys=keys, why=row.why))
    return tuple(found)


def _lost(row: Taker, planned: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(key for key in planned if any(fnmatchcase(key, one) for one in row.takes)))


def _acts(row: Taker, values: Sequence[str], cpu_count: int | None) -> bool:
    last = values[-1].strip('"').lower()
    match row.when:
        case "any":
            return True
        case "is":
            return last in row.values
        case "is_not":
            return last not in row.values
        case "lists":
            return any(set(value.lower().split(",")) & set(row.values) for value in values)
        case "below":
            return last.isdecimal() and cpu_count is not None and int(last) < cpu_count
