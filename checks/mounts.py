"""The mount table: whether a file that a finding rests on is the one it is taken for.

A file below /proc or /sys is the kernel's own only where the kernel's file system is mounted, as a whole, and
nothing is mounted over any directory on its way. Any other file must not be a mount of its own, and must lie
on a file system of a disk (below /run on one in memory): what a program makes up, or what is gone at the next
boot, proves nothing. proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

TABLE = "/proc/self/mountinfo"
# The longest one that a path lies below is where the kernel shows it.
KERNEL = {
    "/sys/fs/cgroup": frozenset({"cgroup2"}),
    "/sys/kernel/debug": frozenset({"debugfs"}),
    "/sys": frozenset({"sysfs"}),
    "/proc": frozenset({"proc"}),
}
ON_DISK = frozenset(
    (
        "bcachefs",
        "btrfs",
        "erofs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "reiserfs",
        "vfat",
        "xfs",
        "zfs",
    )
)
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, kw_only=True)
class Mounts:
    """The mount table in order: mount point, the directory of its file system that shows there, its type."""

    table: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, mountinfo: str) -> Mounts:
        """The octal escapes of proc(5) are decoded, a line that is none is left out."""
        found = []
        for line in mountinfo.splitlines():
            left, dash, right = line.partition(" - ")
            fields = left.split(" ")
            if dash and len(fields) >= 6:
                found.append((_unescaped(fields[4]), _unescaped(fields[3]), right.split(" ")[0]))
        return cls(table=tuple(found))

    @property
    def points(self) -> frozenset[str]:
        """Where anything is mounted."""
        return frozenset(point for point, _, _ in self.table)

    @cached_property
    def _bases(self) -> dict[str, str | None]:
        """What is wrong where the kernel's file systems are mounted."""
        return {base: self._problem(base) for base in KERNEL}

    def _problem(self, base: str) -> str | None:
        at = [(root, kind) for point, root, kind in self.table if point == base]
        if not at:
            return f"{base} is not in the mount table"
        if any(kind not in KERNEL[base] or root != "/" for root, kind in at):
            return f"something else than the kernel's own is mounted on {base}"
        return None

    @cached_property
    def _inside(self) -> frozenset[str]:
        """Mount points inside of the kernel's file systems that are none of the kernel's own places."""
        return frozenset(
            point for point in self.points if point.startswith(("/proc/", "/sys/")) and point not in KERNEL
        )

    def cover_of(self, path: str) -> str | None:
        """Why PATH is not the file that it is taken for; None when it is."""
        if path not in self._covers:
            self._covers[path] = self._look(path)
        return self._covers[path]

    @cached_property
    def _covers(self) -> dict[str, str | None]:
        """What was found before: many findings rest on one file."""
        return {}

    def _look(self, path: str) -> str | None:
        way = _way_to(path)
        base = next((point for point in KERNEL if point in way), None)
        if base is None:
            return self._hidden(path, way)
        if problem := self._bases[base]:
            return problem
        over = [point for point in way if point in self._inside]
        return f"something is mounted over {over[-1]}" if over else None

    def _hidden(self, path: str, way: tuple[str, ...]) -> str | None:
        """The last mount on the way to an ordinary file."""
        there = [(point, kind) for at in way for point, _, kind in self.table if point == at]
        point, kind = there[-1] if there else ("/", "")
        if point == path:
            return f"something is mounted over {path}"
        if not there or kind in ON_DISK or (path.startswith("/run/") and kind in IN_MEMORY):
            return None
        return f"a file system of the type {kind} is mounted over {point}, which is not a disk's"


def _way_to(path: str) -> tuple[str, ...]:
    """Every directory on the way to a path below the root, and itself."""
    words = path.split("/")
    return tuple("/".join(words[:end]) for end in range(2, len(words) + 1))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
