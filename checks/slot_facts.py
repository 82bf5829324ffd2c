"""The facts about deployed engines, read without any code of the deploy.

slots.sh defines the format; proc(5) documents the kernel's files. A missing value stays missing: the checks
decide what that means.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from checks.errors import CheckError
from checks.reading import Cpus, cpus_of_list

_HEAD, _ENTRY = struct.Struct("<4sI36sII"), struct.Struct("<48sI12sQII")
_DIRECTORY_AT = 4096
BOUNDED = frozenset({"manifest", "files", "smaps", "numa"})  # without its line NAME.whole it was cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One thread at one moment, with its monotonic counters."""

    tid: int
    comm: str
    allowed: Cpus
    last_cpu: int
    minor_faults: int
    major_faults: int
    involuntary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One mapping of the process with resident memory."""

    where: str
    rss_kib: int
    page_kib: int
    flags: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SlotFacts:
    """One slot of one host."""

    slot: str
    sections: Mapping[str, str]

    def lines(self, name: str) -> list[str]:
        """The lines of a section; none when the section is empty or absent."""
        return [line for line in self.sections.get(name, "").split("\n") if line]

    @cached_property
    def unit(self) -> dict[str, str]:
        """MainPID, ActiveState, NRestarts."""
        return dict(line.split("=", 1) for line in self.lines("unit") if "=" in line)

    @property
    def pid(self) -> int:
        """The main process; 0 when none is running."""
        text = self.unit.get("MainPID", "0")
        return int(text) if text.isdigit() else 0

    @property
    def exe(self) -> tuple[str, str] | None:
        """Path and SHA-256 of the running executable."""
        lines = self.lines("exe")
        return (lines[0], lines[1]) if len(lines) == 2 else None

    @property
    def release(self) -> str:
        """The directory that the slot's symbolic link points to."""
        return next(iter(self.lines("link")), "")

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The release's manifest; None when there is no readable one."""
        try:
            found = json.loads(self.sections.get("manifest", ""))
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def digest(self) -> str | None:
        """SHA-256 of the manifest's canonical bytes, hex: sorted keys, no spaces, no escapes but JSON's."""
        if self.manifest is None:
            return None
        text = json.dumps(self.manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def files(self) -> dict[str, str]:
        """Path in the release -> SHA-256; empty for a link or device."""
        found = {}
        for line in self.lines("files"):
            digest, two, path = line.partition("  ")
            found[(path if two else line).removeprefix("./")] = digest if two else ""
        return found

    @property
    def cpus(self) -> dict[str, Cpus]:
        """Thread role -> CPUs, from the engine's configuration."""
        try:
            found = json.loads("{" + self.sections.get("cpus", "").strip() + "}")["cpus"]
            return {str(role): frozenset(int(cpu) for cpu in cpus) for role, cpus in found.items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            return {}

    @cached_property
    def cgroup(self) -> frozenset[int]:
        """Every thread in the unit's cgroup, including those of other processes."""
        return frozenset(int(line) for line in self.lines("cgroup") if line.isdigit())

    def threads(self, when: str) -> dict[int, Thread]:
        """The threads `before` or `after` the window."""
        status: dict[int, dict[str, str]] = {}
        current: dict[str, str] = {}
        for line in self.lines(f"{when}.status"):
            key, _, value = line.partition(":")
            if key == "Pid":
                current = status.setdefault(int(value), {})
            current[key] = value.strip()
        found = (_thread(line, status) for line in self.lines(f"{when}.stat"))
        return {one.tid: one for one in found if one is not None}

    def count(self, when: str) -> int | None:
        """How many threads the process had; None when it is not known."""
        text = self.sections.get(f"{when}.count", "").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def metric(self, when: str, name: str) -> int | None:
        """One 64-bit value of the metrics page; None when it cannot be read."""
        try:
            return _value(base64.b64decode(self.sections.get(f"{when}.page", "")), name)
        except (ValueError, struct.error):
            return None

    @cached_property
    def mappings(self) -> tuple[Region, ...]:
        """The resident memory of the process."""
        found: list[Region] = []
        where, rss, page = "", 0, 4
        for line in self.lines("smaps"):
            key, _, value = line.partition(":")
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                where = line
            elif key == "Rss":
                rss = int(value.split()[0])
            elif key == "KernelPageSize":
                page = int(value.split()[0])
            elif key == "VmFlags":
                flags = frozenset(value.split())
                found.append(Region(where=where, rss_kib=rss, page_kib=page, flags=flags))
        return tuple(found)

    @cached_property
    def pages(self) -> tuple[tuple[str, int, Mapping[int, int]], ...]:
        """numa(7): kind (huge, anon, shared, file), page size in KiB, pages by node; for each mapping."""
        return tuple(_pages(line) for line in self.lines("numa"))


def parse_slots(text: str, mark: str) -> dict[str, SlotFacts]:
    """Slot -> facts; CheckError when the answer is truncated."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        if line.startswith(f"{mark} "):
            slot, _, name = line[len(mark) + 1 :].partition("/")
            current = sections.setdefault(slot, {}).setdefault(name, [])
        else:
            current.append(line)
    if "end" not in sections.pop("", {}):
        raise CheckError("the answer about the engines ended early")
    return {
        slot: SlotFacts(
            slot=slot,
            sections={
                name: "\n".join(lines)
                for name, lines in found.items()
                if name not in BOUNDED or f"{name}.whole" in found
            },
        )
        for slot, found in sections.items()
    }


def _thread(stat: str, status: Mapping[int, Mapping[str, str]]) -> Thread | None:
    head, _, rest = stat.rpartition(")")
    tid, _, comm = head.partition(" (")
    fields, labels = rest.split(), status.get(int(tid) if tid.isdigit() else -1)
    if labels is None or len(fields) < 37:
        return None  # it ended between the two files
    return Thread(
        tid=int(tid),
        comm=comm,
        allowed=cpus_of_list(labels.get("Cpus_allowed_list", "")),
        last_cpu=int(fields[36]),  # field 39 of proc(5); the state is field 3
        minor_faults=int(fields[7]),
        major_faults=int(fields[9]),
        involuntary=int(labels.get("nonvoluntary_ctxt_switches", "0")),
    )


def _value(page: bytes, name: str) -> int | None:
    """docs/engine-contract.md, metrics page: directory of 80-byte rows from byte 4096."""
    magic, _, _, _, count = _HEAD.unpack_from(page)
    if magic != b"HFTM":
        return None
    for row in range(count):
        title, _, _, offset, _, _ = _ENTRY.unpack_from(page, _DIRECTORY_AT + row * _ENTRY.size)
        if title.rstrip(b"\0").decode("ascii", "replace") == name:
            value = page[offset : offset + 8]
            return int.from_bytes(value, "little") if len(value) == 8 else None
    return None


def _pages(line: str) -> tuple[str, int, Mapping[int, int]]:
    words = line.split()
    nodes = {
        int(word[1:].partition("=")[0]): int(word.partition("=")[2]) for word in words if _NODE.match(word)
    }
    size = next((int(word.partition("=")[2]) for word in words if word.startswith("kernelpagesize_kB=")), 4)
    shared = any(word.startswith("file=/memfd:") for word in words)
    kind = (
        "huge"
        if "huge" in words
        else "shared"
        if shared
        else "anon"
        if any(word.startswith("anon=") for word in words)
        else "file"
    )
    return kind, size, nodes


_NODE = re.compile(r"N\d+=\d+\Z")
