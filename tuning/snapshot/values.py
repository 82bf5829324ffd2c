"""Reading single values out of a snapshot: numbers, CPU sets, and families of files sorted by their number.

A malformed value is not a missing one: it is recorded as a note, and the reader continues as if it were not
known. Only what no plan can do without (which CPUs exist) becomes an error, in tuning.topology.reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tuning.cpuset import CPU_DIR, CPU_LIMIT, CpuSet
from tuning.errors import CpuListError
from tuning.snapshot.files import Snapshot

# What kernels print for a mask that was never allocated, e.g. nohz_full without the argument.
_NO_MASK = ("(null)", "")


@dataclass(slots=True)
class Source:
    """A snapshot with typed access; `notes` grows while it is read."""

    snapshot: Snapshot
    notes: list[str] = field(default_factory=list)

    def cpus(self, listed: str, masked: str | None = None) -> CpuSet | None:
        """A CPU set from the file in list notation, else from the one in mask notation; None is not known."""
        found = self._parsed(listed, CpuSet.parse_list)
        if found is None and masked is not None:
            found = self._parsed(masked, CpuSet.parse_mask)
        return found

    def number(self, path: str) -> int | None:
        """A decimal number, sign allowed."""
        text = self.snapshot.text(path)
        if text is None or not re.fullmatch(r"-?[0-9]{1,18}", text):
            return None
        return int(text)

    def word(self, path: str) -> str | None:
        """The text of one line, cut to a sane length; None when it holds characters no kernel prints."""
        line = (self.snapshot.text(path) or "").partition("\n")[0][:200]
        return line if line and line.isprintable() else None

    def numbered_cpus(self) -> dict[int, set[str]]:
        """Files below each cpuN, by N."""
        return _numbered(self.snapshot, f"{CPU_DIR}/cpu")

    def numbered_nodes(self) -> dict[int, set[str]]:
        """Files below each nodeN, by N."""
        return _numbered(self.snapshot, "/sys/devices/system/node/node")

    def below(self, prefix: str) -> Iterator[str]:
        """Captured paths that begin with PREFIX, sorted."""
        files = self.snapshot.files
        return (path for path in self.snapshot.below(prefix) if files[path] is not None)

    def _parsed(self, path: str, parse: Callable[[str], CpuSet]) -> CpuSet | None:
        text = self.snapshot.text(path)
        if text is None:
            return None
        if text in _NO_MASK:
            return CpuSet()
        try:
            return parse(text)
        except CpuListError as error:
            self.notes.append(f"{path} cannot be read and counts as not known: {error}")
            return None


def _numbered(snapshot: Snapshot, prefix: str) -> dict[int, set[str]]:
    """What there is below each PREFIX with a number, by the number."""
    found: dict[int, set[str]] = {}
    files, start = snapshot.files, len(prefix)
    for path in snapshot.below(prefix):
        number, _, rest = path[start:].partition("/")
        if rest and len(number) <= 6 and number.isdecimal() and number.isascii() and files[path] is not None:
            found.setdefault(int(number), set()).add(rest)
    return {number: names for number, names in found.items() if number < CPU_LIMIT}
