"""Control groups of a snapshot: version, and what stands at the top beside what every systemd host has.

Version 2 is the one hierarchy at /sys/fs/cgroup with the file cgroup.controllers
(Documentation/admin-guide/cgroup-v2.rst); without it a host runs version 1, where a slice has no cpuset.
A program that makes groups itself (a container runtime with its own driver) leaves names without a unit's
ending; what systemd makes for mounts and sockets holds no process.
"""

from __future__ import annotations

import re

from tuning.snapshot.files import Snapshot
from tuning.units import KNOWN_SLICES

ROOT = "/sys/fs/cgroup"
_GROUP = re.compile(rf"{ROOT}/([^/]{{1,200}})/cpuset\.cpus(?:\.effective)?")
_PLANNABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:]{0,200}\.slice")
_UNIT = re.compile(r".*\.(?:slice|scope|service|mount|socket|swap|automount|path|timer|device|target)")
_OURS = ("hft.slice",)


def is_cgroup_v2(snapshot: Snapshot) -> bool | None:
    """Whether slices can have CPUs; None is not known."""
    if snapshot.is_absent(f"{ROOT}/cgroup.controllers"):
        return False
    return None if snapshot.text(f"{ROOT}/cgroup.controllers") is None else True


def top_slices(snapshot: Snapshot) -> tuple[str, ...]:
    """Slices at the top that are there, such as machine.slice; not ours, and not those always planned."""
    found = (one for one in _groups(snapshot) if _PLANNABLE.fullmatch(one))
    return tuple(one for one in found if one not in (*KNOWN_SLICES, *_OURS))


def foreign_groups(snapshot: Snapshot) -> tuple[str, ...]:
    """Groups at the top that no unit can confine: not systemd's, or named so that no plan holds the name."""
    planned = (*KNOWN_SLICES, *_OURS)
    return tuple(one for one in _groups(snapshot) if one not in planned and _is_foreign(one))


def _is_foreign(name: str) -> bool:
    if not (name.isascii() and name.isprintable()):
        return False
    return not _PLANNABLE.fullmatch(name) if name.endswith(".slice") else not _UNIT.fullmatch(name)


def _groups(snapshot: Snapshot) -> list[str]:
    below = (path for path in snapshot.below(f"{ROOT}/") if snapshot.files[path] is not None)
    matches = (_GROUP.fullmatch(path) for path in below)
    return sorted({match[1] for match in matches if match})
