"""The checks' own reading of kernel text: lists, masks, command line, interrupts, mounts, tasks.

Nothing here is shared with the planner. Two independent readings of the same host have to meet; a mistake
in one of them then shows as a difference instead of passing twice. Sources:
Documentation/admin-guide/kernel-parameters.rst (cpu lists), Documentation/filesystems/proc.rst (stat,
status, interrupts, mountinfo).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from checks.errors import CheckError

Cpus = frozenset[int]

CPU_MAX = 8192  # NR_CPUS of the largest kernels in use
KERNEL_THREAD = 0x00200000  # PF_KTHREAD
UNMOVABLE = 0x04000000  # PF_NO_SETAFFINITY


def cpus_of_list(text: str, highest: int | None = None) -> Cpus:
    """The CPUs of a kernel CPU list; HIGHEST stands for `N` and for the end of `all`."""
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        body, _, stride = part.partition(":")
        if body.lower() == "all":
            body = "0-N"
        low, dash, high = body.partition("-")
        first = _cpu(low, highest, text)
        last = _cpu(high, highest, text) if dash else first
        used, group = _stride(stride, text) if stride else (1, 1)
        if last < first or (stride and not dash):
            raise CheckError(f"not a CPU list: {text[:60]!r}")
        found.update(cpu for cpu in range(first, last + 1) if (cpu - first) % group < used)
    return frozenset(found)


def _cpu(text: str, highest: int | None, whole: str) -> int:
    if text == "N" and highest is not None:
        return highest
    if not text.isascii() or not text.isdigit() or int(text) >= CPU_MAX:
        raise CheckError(f"not a CPU list: {whole[:60]!r}")
    return int(text)


def _stride(text: str, whole: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 0 < int(match[1]) <= int(match[2]):
        raise CheckError(f"not a CPU list: {whole[:60]!r}")
    return int(match[1]), int(match[2])


def cpus_of_mask(text: str) -> Cpus:
    """The CPUs of a kernel CPU mask: 32-bit groups in hex, the highest first."""
    groups = text.strip().split(",")
    if not all(re.fullmatch(r"[0-9a-fA-F]{1,8}", group) for group in groups):
        raise CheckError(f"not a CPU mask: {text[:60]!r}")
    number = sum(int(group, 16) << 32 * place for place, group in enumerate(reversed(groups)))
    return frozenset(cpu for cpu in range(number.bit_length()) if number >> cpu & 1)


def list_of(cpus: Iterable[int]) -> str:
    """CPUs as a person reads them: `0-1,4`."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges) or "none"


def choice_of(text: str) -> str:
    """The chosen word of a file that shows all choices: `always madvise [never]` -> `never`."""
    match = re.search(r"\[([^\]]*)\]", text)
    return match[1] if match else text.strip()


def words_of_cmdline(text: str) -> tuple[tuple[str, str], ...]:
    """(name, value) of each kernel argument in order; quotes group words, `-` and `_` are one letter."""
    words = re.findall(r'(?:[^\s"]|"[^"]*")+', text)
    pairs = (word.replace('"', "").partition("=") for word in words)
    return tuple((name.replace("-", "_"), value) for name, _, value in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thread of the host."""

    pid: int
    tid: int
    comm: str
    flags: int
    last_cpu: int
    allowed: Cpus
    cgroup: str

    @property
    def kernel(self) -> bool:
        """A kernel thread."""
        return bool(self.flags & KERNEL_THREAD)

    @property
    def movable(self) -> bool:
        """The kernel lets user space choose its CPUs."""
        return not self.flags & UNMOVABLE

    @property
    def engine(self) -> bool:
        """It belongs to the engine slice."""
        return "/hft-engine.slice" in self.cgroup

    @property
    def standin_cpu(self) -> int | None:
        """The CPU whose stand-in this is: an instance of hft-standin@.service; None for anything else."""
        _, _, unit = self.cgroup.rpartition("/")
        found = re.fullmatch(r"hft-standin@([0-9]{1,4})\.service", unit)
        return int(found[1]) if found and self.engine else None

    @property
    def name(self) -> str:
        """`comm[tid]`, as a person looks for it."""
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
        )
    except (KeyError, IndexError, ValueError) as error:
        raise CheckError(f"not a task: {stat[:60]!r}") from error


def mount_points(mountinfo: str) -> tuple[str, ...]:
    """Where something is mounted; the octal escapes of proc(5) undone."""
    points = (line.split(" ")[4] for line in mountinfo.splitlines() if line.count(" ") > 4)
    return tuple(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point) for point in points)


def interrupt_names(text: str) -> dict[int, str]:
    """Number -> what stands behind it, for the device interrupts of /proc/interrupts."""
    lines = text.splitlines()
    columns = len(lines[0].split()) if lines else 0
    names: dict[int, str] = {}
    for line in lines[1:]:
        number, _, rest = line.strip().partition(":")
        if number.isdigit():
            names[int(number)] = " ".join(rest.split()[columns:])
    return names
