"""Facts: what one host reports about itself in one round trip, read without any code of the planner.

`facts.sh` runs on the host; this module parses its output and does nothing else. A value is present, absent,
unreadable, or was not requested; the last two never count as an answer. Nor does a file that something is
mounted over (checks/mounts.py): what anybody could have written there is not known.
"""

from __future__ import annotations

import importlib.resources
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from checks.errors import CheckError
from checks.mounts import TABLE, Mounts
from checks.reading import Cpus, Task, cpus_of_list, interrupt_names, task_of

PROCFS_TYPE = 0x9FA0
PLAN = "/var/lib/hft/plan.json"
STATE = "/var/lib/hft/state.json"
SECTIONS = (
    "present",
    "absent",
    "files",
    "unreadable",
    "procfs",
    "status",
    "stat",
    "cgroup",
    "listed",
    "readonly",
    "transactions",
    "units",
    "unitfiles",
    "nics",
    "latency",
    "boot",
    "log",
)
INNER = ("nic_on_host.py",)  # programs that a script holds, each at its name between at-signs
KERNEL = ("/proc/", "/sys/")
TABLES = frozenset(
    {"/proc/interrupts", "/proc/swaps", TABLE}
)  # all other files of the kernel are one line each
MOUNTED = re.compile(r"/proc/[0-9]+(/|\Z)")


def script_of(name: str, mark: str) -> bytes:
    """A script for a host's standard input, with the marker that opens each section: no argument shows it."""
    here = importlib.resources.files("checks")
    script = here.joinpath(name).read_bytes()
    for inner in INNER:
        script = script.replace(f"@{inner}@".encode(), here.joinpath(inner).read_bytes().rstrip())
    return f"mark={mark}\n".encode() + script


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of one host, from one round trip."""

    files: Mapping[str, str]
    absent: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    procfs: Mapping[str, int] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()  # files of the kernel that are there, but not a line of them came
    tasks: tuple[Task, ...] = ()
    listed: int | None = None  # how many tasks the host counted, less those that ended meanwhile
    readonly: frozenset[str] = frozenset()  # affinities that the kernel lets nobody write
    transactions: Mapping[str, str] = field(default_factory=dict)  # of the agent -> its journal's last line
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unit_files: Mapping[str, str] | None = (
        None  # path -> target of the link, "" for a file; an empty one masks
    )
    nics: Mapping[tuple[str, str], str] = field(default_factory=dict)  # port, parameter -> answer
    latency_us: int | None = None  # what the holders of /dev/cpu_dma_latency ask for together
    boot: frozenset[str] = frozenset()
    log: tuple[str, ...] | None = None

    def text(self, path: str) -> str | None:
        """The content of a file, stripped; None when it is not known or absent."""
        found = self.files.get(path)
        if found is None or self.covered(path):
            return None
        if "\n" in found.strip() and path.startswith(KERNEL) and path not in TABLES:
            raise CheckError(f"{path} has several lines, which the kernel never prints")
        return found.strip()

    def is_absent(self, path: str) -> bool:
        """Whether the host said that there is no such file."""
        return path in self.absent and not self.covered(path)

    def unknown(self, path: str) -> tuple[str, str]:
        """Reason and sentence: why the content of a file is not known."""
        if cover := self.covered(path):
            return "not_procfs", cover
        if path in self.unreadable:
            return "not_readable", f"{path}: {self.unreadable[path]}"
        return "not_read", f"{path} is not in the host's answer"

    @property
    def log_is_whole(self) -> bool:
        """Whether the kernel's log reaches back to the boot: only then does an absent line prove anything."""
        return any("Linux version" in line for line in self.log or ())

    @property
    def machine_id(self) -> str:
        """The machine-id, empty when not reported. Where /etc is read-only it is a mount (machine-id(5))."""
        return self.files.get("/etc/machine-id", "").strip()

    def cpus(self, path: str) -> Cpus | None:
        """A file that holds a CPU list; None when it is not known."""
        found = self.text(path)
        return None if found is None else cpus_of_list(found)

    @cached_property
    def sharing_cpus(self) -> dict[int, Cpus]:
        """For each CPU that is known, all CPUs of its frequency policy."""
        seen = self.under("/sys/devices/system/cpu/cpu", "/cpufreq/related_cpus")
        return {
            int(cpu): frozenset(int(one) for one in text.split() if one.isdecimal())
            for cpu, text in seen.items()
            if cpu.isdecimal()
        }

    def under(self, prefix: str, suffix: str) -> dict[str, str]:
        """For each path that was read and is what it is taken for: the part between -> the text."""
        found = {
            path[len(prefix) : -len(suffix)]: self.text(path)
            for path in self.files
            if path.startswith(prefix) and path.endswith(suffix)
        }
        return {part: text for part, text in found.items() if text is not None}

    def covered(self, path: str) -> str | None:
        """Why a file is not what it is taken for; None when it is."""
        if self._mounts is None:
            return "the mount table is not known" if path.startswith(KERNEL) else None
        if (kind := self.procfs.get(path, PROCFS_TYPE)) != PROCFS_TYPE:
            return f"{path} is not on procfs, but on {kind:#x}"
        if path.startswith("/proc/") and self.procfs.get("/proc", PROCFS_TYPE) != PROCFS_TYPE:
            return "/proc is not procfs"
        return self._mounts.cover_of(path)

    def is_mounted(self, point: str) -> bool:
        """Whether the mount table is known and has this mount point."""
        return self._mounts is not None and point in self._mounts.points

    @cached_property
    def _mounts(self) -> Mounts | None:
        text = self.files.get(TABLE)
        return None if text is None else Mounts.of(text)

    @cached_property
    def tasks_doubt(self) -> str | None:
        """Why nothing can be said of tasks that are not in the listing; None when it is complete."""
        there = {task.tid for task in self.tasks}
        if self.listed is None:
            return "how many tasks there are is not known"
        if len(there) < self.listed or not {1, 2} <= there:
            return f"the listing has {len(there)} of {self.listed} tasks"
        points = sorted(self._mounts.points) if self._mounts else []
        over = (point for point in points if MOUNTED.match(point))
        return next((f"something is mounted over {point}" for point in over), self.covered("/proc/1/stat"))

    @cached_property
    def online(self) -> Cpus:
        """The online CPUs."""
        return self.cpus("/sys/devices/system/cpu/online") or frozenset()

    @cached_property
    def highest(self) -> int | None:
        """The last possible CPU: what `N` means in a kernel's list; None when it is not known."""
        return max(self.cpus("/sys/devices/system/cpu/possible") or (), default=None)

    @cached_property
    def interrupts(self) -> Mapping[int, str]:
        """Device interrupt -> its handlers."""
        return interrupt_names(self.text("/proc/interrupts") or "")

    @cached_property
    def usable(self) -> Cpus:
        """The online CPUs that the root cgroup may use: all of them on bare metal."""
        allowed = self.cpus("/sys/fs/cgroup/cpuset.cpus.effective")
        return self.online if allowed is None else self.online & allowed

    @cached_property
    def cores(self) -> Mapping[int, Cpus]:
        """CPU -> the CPUs of its core, including itself."""
        found = self.under("/sys/devices/system/cpu/cpu", "/topology/thread_siblings_list")
        return {int(cpu): cpus_of_list(text) for cpu, text in found.items() if cpu.isdigit()}

    @property
    def kernel(self) -> str:
        """The running kernel's release."""
        return self.text("/proc/sys/kernel/osrelease") or "unknown"

    @property
    def boot_id(self) -> str:
        """The boot in which the facts were read."""
        return self.text("/proc/sys/kernel/random/boot_id") or "unknown"


def parse_facts(text: str, mark: str) -> Facts:
    """The facts in a script's answer; CheckError when it is truncated or malformed."""
    sections = _sections(text, mark)
    files = _files(sections["files"])
    unreadable = dict(_refusal(line) for line in sections["unreadable"] if line)
    return Facts(
        files=files,
        absent=frozenset(filter(None, sections["absent"])),
        unreadable=unreadable,
        lost=frozenset(filter(_has_a_line, sections["present"])) - files.keys() - unreadable.keys(),
        procfs={
            path: int(kind, 16) for kind, _, path in (line.partition(" ") for line in sections["procfs"])
        },
        listed=_listed(sections["listed"]),
        readonly=frozenset(filter(None, sections["readonly"])),
        transactions=dict(line.split(" ", 1) for line in sections["transactions"] if " " in line),
        tasks=tuple(_tasks(*(_files(sections[name]) for name in ("stat", "status", "cgroup")))),
        units=_units(sections["units"]),
        unit_files=_unit_files(sections["unitfiles"]),
        nics=_nics(sections["nics"]),
        latency_us=_number(sections["latency"]),
        boot=_boot(sections["boot"]),
        log=tuple(filter(None, sections["log"])) if "readable" in sections["log"] else None,
    )


def _sections(text: str, mark: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        if line.startswith(f"{mark} "):
            current = found.setdefault(line[len(mark) + 1 :], [])
        else:
            current.append(line)
    if found.pop("end", None) != [""] or set(found) != set(SECTIONS):
        raise CheckError("the answer ended early")
    return found


def _files(lines: Iterable[str]) -> dict[str, str]:
    """Lines of `path NUL line`; one without NUL continues the line before (a task's name may hold one)."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    path = ""
    for line in lines:
        head, nul, body = line.partition("\0")
        if nul:
            path = head
        if path:
            found[path].append(body if nul else line)
    return {path: "\n".join(lines) for path, lines in found.items()}


def _has_a_line(path: str) -> bool:
    """Whether the kernel always prints one: for all files but the handlers of an interrupt."""
    return path.startswith(KERNEL) and not path.endswith("/actions")


def _listed(lines: Iterable[str]) -> int:
    """`COUNT ENDED`: how many tasks were listed, how many of them are gone by now."""
    words = " ".join(lines).split()
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        raise CheckError("the count of the tasks is missing")
    return int(words[0]) - int(words[1])


def _nics(lines: Iterable[str]) -> dict[tuple[str, str], str]:
    """`DEVICE PARAMETER ANSWER`, an answer of one or two words; a line of another form is none."""
    words = (line.split() for line in lines)
    return {(one[0], one[1]): " ".join(one[2:]) for one in words if len(one) in (3, 4)}


def _number(lines: Iterable[str]) -> int | None:
    """One whole number; None for anything else."""
    words = " ".join(lines).split()
    return int(words[0]) if len(words) == 1 and words[0].isascii() and words[0].isdigit() else None


def _boot(lines: Sequence[str]) -> frozenset[str]:
    """The names in /boot; CheckError when they are fewer than the host counted."""
    names, count = frozenset(lines[:-1]), lines[-1] if lines else ""
    if count != f"entries: {len(names)}":
        raise CheckError(f"the listing of /boot has {len(names)} names, not {count[:30]!r}")
    return names


def _refusal(line: str) -> tuple[str, str]:
    """`grep: /sys/x: Permission denied` -> path and reason."""
    path, _, reason = line.removeprefix("grep: ").rpartition(": ")
    return path, reason


def _tasks(stat: dict[str, str], status: dict[str, str], cgroup: dict[str, str]) -> Iterable[Task]:
    for path, line in stat.items():
        stem = path.removesuffix("stat")
        tid = stem.removesuffix("/").rpartition("/")[2]
        if f"\n{tid} (" in line:  # two of them in one file: a name that says so, or an answer that stutters
            continue
        if f"{stem}status" in status and f"{stem}cgroup" in cgroup:  # otherwise it ended meanwhile
            yield task_of(line, status[f"{stem}status"].split("\n"), cgroup[f"{stem}cgroup"])


def _unit_files(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition(" ") for line in lines if line)
    return {path: "/dev/null" if to.endswith("/dev/null") else to for path, _, to in pairs}


def _units(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    block: dict[str, str] = {}
    for line in [*lines, ""]:
        name, equals, value = line.partition("=")
        if equals:
            block[name] = value
        elif block:
            found[block.get("Id", "")] = block
            block = {}
    return found
