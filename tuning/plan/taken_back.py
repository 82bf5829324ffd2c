"""Kernel arguments that take back what a plan wants, as one table of values.

A word such as `nohz=off` is in no plan and yet undoes `nohz_full`; a check of the planned words alone never
sees it. Planner, doctor and checks read this table; a trial boot leaves such arguments out.
Source of all rows: Documentation/admin-guide/kernel-parameters.txt, or kernel-command-line(7) of systemd.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

FALSE = ("0", "no", "n", "false", "f", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """An argument, the values that take something back, and the keys that are lost.

    WHEN: `any` value; `is` one of VALUES; `is_not` one of them; `lists` one of them, in any occurrence (they
    add up), where a star at the end stands for any rest; `below`: a number of CPUs that leaves a planned one
    out. OF_SIBLINGS: only where the plan uses two CPUs of one core.
    """

    name: str
    when: Literal["any", "is", "is_not", "lists", "below"]
    takes: tuple[str, ...]
    why: str
    values: tuple[str, ...] = ()
    of_siblings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """A word of a command line, the keys of the plan that it takes back, and how."""

    name: str
    word: str
    keys: tuple[str, ...]
    why: str


ISOLATION = ("cmdline.isolcpus", "cmdline.nohz_full", "cmdline.rcu_nocbs")
SLICES = ("slice.*",)
PAGES = ("cmdline.hugepages*", "cmdline.hugepagesz*", "memory.hugepages")
PLACED = ("irq.*", "kthread.*")
SYSCTLS = ("kernel.*", "net.*", "vm.*")
FILES = ("clock.source", "irq.default_affinity", "memory.*", "power.*", "workqueue.*")
SERVICES = (*PLACED, *SLICES, *SYSCTLS, *FILES, "pid1.affinity", "unit.*")
INITS = ("/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd")
TARGETS = ("multi-user.target", "graphical.target", "default.target")
# What systemd starts on the whole name of a unit, with or without its suffix (kernel-command-line(7)).
MASKS = {"hft-irqs": PLACED, "systemd-sysctl": SYSCTLS, "systemd-tmpfiles-setup": FILES}
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
        values=("off", "noacpi", "fake=*"),
        takes=PAGES,
        why="pages of a node are not where the plan puts them",
    ),
    Taker(name="nosmt", when="any", takes=ISOLATION, why="siblings do not come up", of_siblings=True),
    Taker(
        name="mitigations",
        when="lists",
        values=("nosmt",),
        takes=ISOLATION,
        why="siblings do not come up",
        of_siblings=True,
    ),
    Taker(
        name="acpi",
        when="is",
        values=("off",),
        takes=(*ISOLATION, *PAGES, "irq.*"),
        why="CPUs, nodes and interrupts are not found",
    ),
    Taker(name="pci", when="lists", values=("nomsi",), takes=("irq.*",), why="devices share one interrupt"),
    Taker(name="mem", when="any", takes=PAGES, why="the memory of the pages is not used"),
    Taker(name="hugetlb", when="is", values=FALSE, takes=PAGES, why="there are no hugepages"),
    *(
        Taker(
            name="systemd.mask",
            when="lists",
            values=(unit, f"{unit}.service"),
            takes=lost,
            why=f"{unit} is masked",
        )
        for unit, lost in MASKS.items()
    ),
    Taker(
        name="systemd.unit",
        when="is_not",
        values=TARGETS,
        takes=SERVICES,
        why="systemd starts something else than the whole host",
    ),
    *(
        Taker(name=name, when="any", takes=SERVICES, why="systemd starts a shell and no services")
        for name in ("1", "s", "S", "single", "rescue", "emergency", "-b")
    ),
    Taker(name="init", when="is_not", values=INITS, takes=SERVICES, why="systemd is not started"),
    Taker(
        name="amd_iommu",
        when="is",
        values=("off",),
        takes=("cmdline.iommu",),
        why="no IOMMU confines the DMA of user-space drivers",
    ),
)


def words_that_take_back(
    words: Sequence[tuple[str, str]],
    planned: Collection[str] | None,
    cpu_count: int | None,
    *,
    has_siblings: bool = True,
) -> tuple[TakenBack, ...]:
    """The words of a line that take back keys of a plan (None: of any plan).

    WORDS are (name with `_`, value). CPU_COUNT is the number of CPUs that the plan needs; None: not known.
    HAS_SIBLINGS: whether the plan uses two CPUs of one core.
    """
    found = []
    for row in TABLE:
        values = [value for name, value in words if name == row.name.replace("-", "_")]
        if not values or (row.of_siblings and not has_siblings):
            continue
        keys = row.takes if planned is None else _lost(row, planned)
        if not keys:
            continue
        acting = _acting(row, values, cpu_count)
        if acting is not None:
            word = f"{row.name}={acting}" if acting else row.name
            found.append(TakenBack(name=row.name, word=word, keys=keys, why=row.why))
    return tuple(found)


def _lost(row: Taker, planned: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(key for key in planned if any(fnmatchcase(key, one) for one in row.takes)))


def _acting(row: Taker, values: Sequence[str], cpu_count: int | None) -> str | None:
    """The value that takes something back; None when none does."""
    last = values[-1].strip('"').lower()
    acts = False
    match row.when:
        case "any":
            acts = True
        case "is":
            acts = last in row.values
        case "is_not":
            acts = last not in row.values
        case "lists":
            return next((value for value in values if _lists(value, row.values)), None)
        case "below":
            count = _number(last)
            acts = count is not None and cpu_count is not None and count < cpu_count
    return values[-1] if acts else None


def _lists(value: str, wanted: Sequence[str]) -> bool:
    words = value.strip('"').lower().split(",")
    return any(fnmatchcase(word, one) for word in words for one in wanted)


def _number(text: str) -> int | None:
    """A number as get_option() of lib/cmdline.c takes it: hexadecimal, octal or decimal, whatever follows."""
    found = re.match(r"0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*", text)
    if found is None:
        return None
    base = 16 if found[0].startswith("0x") else 8 if found[0].startswith("0") else 10
    return int(found[0], base)
