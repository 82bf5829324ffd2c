"""The capture of an unpacked tree, which may come from somebody else: nothing outside of it is opened.

A live host is captured by the shell script (tuning/snapshot/capture.py); its own files are its own business.
In a tree a file, or a directory on the way to it, may be a link to a key of whoever looks at it. So every
path is resolved first, link by link as the kernel would (path_resolution(7)), and what leaves the tree, is no
regular file, or is larger than a kernel's file ever is, counts as not captured. The paths are the script's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tuning.errors import SnapshotError
from tuning.snapshot.capture import LINKS, NAMED, OUTPUT_LIMIT_BYTES, PATTERNS, TREE_PATTERNS
from tuning.snapshot.files import Snapshot

FILE_MAX = 1 << 20
_ENTRIES_MAX = 100_000
_CPUINFO = "proc/cpuinfo"


def capture_tree(root: Path) -> Snapshot:
    """What the script would capture of ROOT and lies in it; SnapshotError when that is too much."""
    tree = _Tree(str(root.resolve()))
    files: dict[str, str | None] = {}
    left = OUTPUT_LIMIT_BYTES
    for pattern in (*NAMED, *PATTERNS, *TREE_PATTERNS, *tree.own_cgroup(), _CPUINFO):
        for path in tree.expand(pattern):
            content = tree.read(path)
            left -= len(path) + len(content)
            if left < 0:
                raise SnapshotError(f"{root}: more than {OUTPUT_LIMIT_BYTES >> 20} MiB would be captured")
            if content:
                files[f"/{path}"] = content.decode("utf-8", "replace").removesuffix("\0")
    links = {
        f"/{path}": target
        for pattern in LINKS
        for path in tree.expand(pattern)
        if (target := tree.link(path))
    }
    return Snapshot(files, links)


class _Tree:
    """A directory that is not left; `seen` bounds what listing it may cost."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.seen = 0

    def inside(self, path: str) -> str | None:
        """Where PATH is when every link is followed; None when that is outside, or nowhere."""
        try:
            found = os.path.realpath(f"{self.root}/{path}", strict=True)
        except (OSError, ValueError):
            return None
        return found if found == self.root or found.startswith(f"{self.root}/") else None

    def expand(self, pattern: str) -> Iterator[str]:
        """The paths that a pattern of sh(1) names here, sorted as sh sorts them."""
        yield from self._below("", pattern.split("/"))

    def _below(self, folder: str, parts: list[str]) -> Iterator[str]:
        first, rest = parts[0], parts[1:]
        names = [first] if not any(c in first for c in "*?[") else self._names(folder, first)
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if rest:
                yield from self._below(path, rest)
            else:
                yield path

    def _names(self, folder: str, pattern: str) -> list[str]:
        where = self.inside(folder)
        if where is None:
            return []
        try:
            found = [entry.name for entry in os.scandir(where)]
        except OSError:
            return []
        self.seen += len(found)
        if self.seen > _ENTRIES_MAX:
            raise SnapshotError(f"{self.root}: its directories hold more than {_ENTRIES_MAX} names")
        return sorted(name for name in found if not name.startswith(".") and fnmatchcase(name, pattern))

    def read(self, path: str) -> bytes:
        """The bytes of a regular file in the tree; none when it is not, or cannot be read."""
        where = self.inside(path)
        if where is None:
            return b""
        try:
            descriptor = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return b""
        try:
            with os.fdopen(descriptor, "rb") as stream:
                found = stream.read(FILE_MAX + 1)
        except OSError:
            return b""
        return found if len(found) <= FILE_MAX else b""

    def link(self, path: str) -> str | None:
        """The target of a link in the tree, as it is written; it is not followed. An empty file is one to
        /dev/null: to systemd it says the same."""
        folder, _, name = path.rpartition("/")
        where = self.inside(folder)
        if where is None:
            return None
        try:
            seen = Path(where, name).lstat()
            if stat.S_ISREG(seen.st_mode) and seen.st_size == 0:
                return "/dev/null"
            return str(Path(where, name).readlink())
        except OSError:
            return None

    def own_cgroup(self) -> Iterator[str]:
        """The cgroup in which a tree was captured, wherever it was mounted."""
        own = self.read("proc/self/cpuset").decode("utf-8", "replace").strip()
        for line in self.read("proc/mounts").decode("utf-8", "replace").splitlines():
            words = line.split()
            if not own or len(words) < 4 or any(c in f"{words[1]}{own}" for c in "*?["):
                continue
            place, options = f"{words[1]}{own}".lstrip("/"), f",{words[3]},"
            match words[2]:
                case "cgroup2":
                    yield f"{place}/cpuset.cpus.effective"
                case "cgroup" if ",cpuset," in options:
                    # Mounted with `noprefix`, the files have the short names.
                    for name in ("cpuset.effective_cpus", "cpuset.cpus", "effective_cpus", "cpus"):
                        yield f"{place}/{name}"
                case "cpuset":
                    yield f"{place}/cpus"
                case _:
                    pass
