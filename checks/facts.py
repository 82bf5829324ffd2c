"""Facts: what one host says of itself in one round trip, read without any code of the planner.

`facts.sh` runs on the host; this module knows its form and nothing else. A value is there, absent,
unreadable, or was not asked for; the last two are never taken for an answer.
"""

from __future__ import annotations

import importlib.resources
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from checks.errors import CheckError
from checks.reading import Cpus, Task, cpus_of_list, interrupt_names, mount_points, task_of

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
    "units",
    "boot",
    "log",
)


def facts_script() -> bytes:
    """The script that a host runs; its one argument is the mark that opens each section."""
    return importlib.resources.files("checks").joinpath("facts.sh").read_bytes()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One look at one host."""

    files: Mapping[str, str]
    absent: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    procfs: Mapping[str, int] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    boot: frozenset[str] = frozenset()
    log: tuple[str, ...] | None = None

    def text(self, path: str) -> str | None:
        """What a file holds, without surrounding blanks; None when that is not known or there is none."""
        found = self.files.get(path)
        return None if found is None else found.strip()

    @property
    def machine_id(self) -> str:
        """The machine's own identity, empty when it was not shown."""
        return (self.text("/etc/machine-id") or "").strip()

    def cpus(self, path: str) -> Cpus | None:
        """A file that holds a CPU list; None when it is not known."""
        found = self.text(path)
        return None if found is None else cpus_of_list(found)

    def under(self, prefix: str, suffix: str) -> dict[str, str]:
        """What stands between prefix and suffix in each path that was read -> the text."""
        return {
            path[len(prefix) : -len(suffix)]: text.strip()
            for path, text in self.files.items()
            if path.startswith(prefix) and path.endswith(suffix)
        }

    def covered(self, path: str) -> str | None:
        """Why a file of /proc must not be believed; None when it is the kernel's own."""
        if self.procfs.get(path) != PROCFS_TYPE or self.procfs.get("/proc") != PROCFS_TYPE:
            return f"{path} is not on procfs"
        if path in self.mounts or any(path.startswith(f"{point}/") for point in self.mounts if point != "/"):
            return f"something is mounted over {path}"
        return None

    @cached_property
    def mounts(self) -> frozenset[str]:
        """Mount points below /proc; /proc itself is where they belong."""
        points = mount_points(self.files.get("/proc/self/mountinfo", ""))
        return frozenset(point for point in points if point.startswith("/proc/"))

    @cached_property
    def online(self) -> Cpus:
        """The CPUs that run."""
        return self.cpus("/sys/devices/system/cpu/online") or frozenset()

    @cached_property
    def interrupts(self) -> Mapping[int, str]:
        """Device interrupt -> what stands behind it."""
        return interrupt_names(self.files.get("/proc/interrupts", ""))

    @cached_property
    def usable(self) -> Cpus:
        """The online CPUs that the root control group may use: all of them on bare metal."""
        allowed = self.cpus("/sys/fs/cgroup/cpuset.cpus.effective")
        return self.online if allowed is None else self.online & allowed

    @cached_property
    def cores(self) -> Mapping[int, Cpus]:
        """CPU -> the CPUs of its core, itself included."""
        found = self.under("/sys/devices/system/cpu/cpu", "/topology/thread_siblings_list")
        return {int(cpu): cpus_of_list(text) for cpu, text in found.items() if cpu.isdigit()}

    @property
    def kernel(self) -> str:
        """The running kernel's release."""
        return self.text("/proc/sys/kernel/osrelease") or "unknown"

    @property
    def boot_id(self) -> str:
        """The boot this look was taken in."""
        return self.text("/proc/sys/kernel/random/boot_id") or "unknown"


def parse_facts(text: str, mark: str) -> Facts:
    """The facts in a script's answer; CheckError when it was cut short or is not of the expected form."""
    sections = _sections(text, mark)
    present, files = sections["present"], _files(sections["files"])
    unreadable = dict(_refusal(line) for line in sections["unreadable"] if line)
    return Facts(
        files={path: "" for path in present if path and path not in unreadable} | files,
        absent=frozenset(filter(None, sections["absent"])),
        unreadable=unreadable,
        procfs={
            path: int(kind, 16) for kind, _, path in (line.partition(" ") for line in sections["procfs"])
        },
        tasks=tuple(_tasks(*(_files(sections[name]) for name in ("stat", "status", "cgroup")))),
        units=_units(sections["units"]),
        boot=frozenset(sections["boot"]),
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


def _refusal(line: str) -> tuple[str, str]:
    """`grep: /sys/x: Permission denied` -> path and reason."""
    path, _, reason = line.removeprefix("grep: ").rpartition(": ")
    return path, reason


def _tasks(stat: dict[str, str], status: dict[str, str], cgroup: dict[str, str]) -> Iterable[Task]:
    for path, line in stat.items():
        stem = path.removesuffix("stat")
        if f"{stem}status" in status and f"{stem}cgroup" in cgroup:  # otherwise it ended while we looked
            yield task_of(line, status[f"{stem}status"].split("\n"), cgroup[f"{stem}cgroup"])


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
