"""The checks' own parsers of kernel text: lists, masks, interrupts, tasks.

Nothing here is shared with the planner. Two independent readings of the same host have to agree; a bug in one
of them then shows as a difference instead of passing twice. Sources:
Documentation/admin-guide/kernel-parameters.rst (cpu lists), Documentation/filesystems/proc.rst (stat,
status, interrupts, mountinfo).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from checks.errors import CheckError

Cpus = frozenset[int]

CPU_MAX = 8192  # NR_CPUS of the largest kernels
KERNEL_THREAD = 0x00200000  # PF_KTHREAD
UNMOVABLE = 0x04000000  # PF_NO_SETAFFINITY


def cpus_of_list(text: str, highest: int | None = None) -> Cpus:
    """The CPUs of a kernel CPU list (bitmap_parselist() in lib/bitmap-str.c).

    HIGHEST is the last possible CPU: `N`, and the end of `all`. The kernel refuses a list beyond it.
    """
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        body, colon, stride = part.partition(":")
        if body.lower() == "all":
            body = "0-N"
        low, dash, high = body.partition("-")
        first = _cpu(low, highest, text)
        last = _cpu(high, highest, text) if dash else first
        used, group = _stride(stride, highest, text) if colon else (1, 1)
        beyond = last > highest if highest is not None else last >= CPU_MAX
        if last < first or beyond or (colon and not dash):
            raise CheckError(f"not a CPU list: {text[:60]!r}")
        found.update(cpu for cpu in range(first, last + 1) if (cpu - first) % group < used)
    return frozenset(found)


def _cpu(text: str, highest: int | None, whole: str) -> int:
    if text == "N" and highest is not None:
        return highest
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 32:
        raise CheckError(f"not a CPU list: {whole[:60]!r}")
    return int(text)


def _stride(text: str, highest: int | None, whole: str) -> tuple[int, int]:
    """`1/2`: the first one of each two; none of them, `0/2`, is a list of no CPU."""
    used, slash, group = text.partition("/")
    numbers = _cpu(used, highest, whole), _cpu(group, highest, whole)
    if not slash or not numbers[0] <= numbers[1] or not numbers[1]:
        raise CheckError(f"not a CPU list: {whole[:60]!r}")
    return numbers


def cpus_of_mask(text: str) -> Cpus:
    """The CPUs of a kernel CPU mask: 32-bit groups in hex, the highest first."""
    groups = text.strip().split(",")
    if not all(re.fullmatch(r"[0-9a-fA-F]{1,8}", group) for group in groups):
        raise CheckError(f"not a CPU mask: {text[:60]!r}")
    number = sum(int(group, 16) << 32 * place for place, group in enumerate(reversed(groups)))
    return frozenset(cpu for cpu in range(number.bit_length()) if number >> cpu & 1)


def list_of(cpus: Iterable[int]) -> str:
    """CPUs in list notation: `0-1,4`."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges) or "none"


def choice_of(text: str) -> str:
    """The selected word of a file that lists all choices: `always madvise [never]` -> `never`."""
    match = re.search(r"\[([^\]]*)\]", text)
    return match[1] if match else text.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thread of the host; POLICY as in sched(7), PRIORITY the real-time one."""

    pid: int
    tid: int
    comm: str
    flags: int
    last_cpu: int
    allowed: Cpus
    cgroup: str
    policy: int = 0
    priority: int = 0

    @property
    def kernel(self) -> bool:
        """A kernel thread."""
        return bool(self.flags & KERNEL_THREAD)

    @property
    def movable(self) -> bool:
        """User space may choose its CPUs."""
        return not self.flags & UNMOVABLE

    @property
    def engine(self) -> bool:
        """It belongs to the engine slice, by components from the root: anybody may name a slice so."""
        return self.cgroup.split("/")[:3] == ["", "hft.slice", "hft-engine.slice"]

    @property
    def standin_cpu(self) -> int | None:
        """The CPU whose stand-in this is: an instance of hft-standin@.service; None for anything else."""
        _, _, unit = self.cgroup.rpartition("/")
        found = re.fullmatch(r"hft-standin@([0-9]{1,4})\.service", unit)
        return int(found[1]) if found and self.engine else None

    @property
    def name(self) -> str:
        """`comm[tid]`, as ps(1) users search for it."""
        return f"{self.comm}[{self.tid}]"


def task_of(stat: str, status: Iterable[str], cgroup: str) -> Task:
    """A task from its /proc/PID/task/TID/stat line, the labelled lines of status, and its cgroup v2 line."""
    labels = dict(line.split(":", 1) for line in status if ":" in line)
    head, _, rest = stat.rpartition(")")
    tid, _, comm = head.partition(" (")
    fields = rest.split()
    try:
        return Task(
            pid=int(labels["Tgid"]),
            tid=int(tid),
            comm=comm,
            flags=int(fields[6]),  # field 9 of proc(5); the state is field 3
            last_cpu=int(fields[36]),  # field 39
            allowed=cpus_of_list(labels["Cpus_allowed_list"]),
            cgroup=cgroup.partition("::")[2],
            priority=int(fields[37]),  # field 40
            policy=int(fields[38]),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise CheckError(f"not a task: {stat[:60]!r}") from error


# arch_show_interrupts() and show_interrupts(): a number, or the name of a kind (LOC, IPI0, Err)
_ROW = re.compile(r"[0-9]{1,10}|[A-Za-z][A-Za-z0-9_/-]{0,15}")


def interrupt_names(text: str) -> dict[int, str]:
    """Number -> handlers, for the device interrupts of /proc/interrupts."""
    lines = text.splitlines()
    columns = len(lines[0].split()) if lines else 0
    if lines and not re.fullmatch(r"( *CPU\d{1,5})+ *", lines[0]):
        raise CheckError(f"/proc/interrupts does not begin with its CPUs: {lines[0][:60]!r}")
    names: dict[int, str] = {}
    for line in lines[1:]:
        number, colon, rest = line.strip().partition(":")
        if line.strip() and not (colon and _ROW.fullmatch(number)):
            raise CheckError(f"/proc/interrupts has a row that no kernel prints: {line[:60]!r}")
        if number.isdigit():
            if int(number) in names:
                raise CheckError(f"/proc/interrupts has interrupt {number} twice")
            names[int(number)] = " ".join(rest.split()[columns:])
    return names
