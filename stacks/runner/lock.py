"""The engine's lock on a stack: whose it is, and whether its owner is dead.

A file backend's lock is a file with pid, user, host and time; nobody removes it when its owner is killed. It
is taken over only when its owner was a process of this machine that is gone, or whose number has been given
to a process that started after the lock was made.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types

CLOCK_SLACK_S = 2.0  # starts of processes are known to a tick of a clock that counts from the boot


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLock:
    """One lock file. DEAD says why its owner is known to be gone; '' when it may be alive."""

    path: Path
    owner: str
    dead: str


def locks_in(folder: Path) -> tuple[EngineLock, ...]:
    """The locks on a stack, as they are now."""
    return tuple(_look(path) for path in sorted(folder.glob("*.json")))


def _look(path: Path) -> EngineLock:
    try:
        found = json.loads(path.read_text())
        pid, host = int(found["pid"]), str(found["hostname"])
        made_s = datetime.fromisoformat(str(found["timestamp"])).timestamp()
    except (OSError, ValueError, KeyError, TypeError):
        return EngineLock(path=path, owner=f"somebody, in {path}", dead="")
    owner = f"{found.get('username', '?')}@{host} (pid {pid}) since {found['timestamp']}"
    dead = why_dead(pid, host, made_s, here=socket.gethostname(), started_s=started_s)
    return EngineLock(path=path, owner=owner, dead=dead)


def why_dead(
    pid: int, host: str, made_s: float, *, here: str, started_s: Callable[[int], float | None]
) -> str:
    """Why the owner of a lock is gone for sure; '' when it lives, or nobody can know HERE."""
    if host != here:
        return ""
    began_s = started_s(pid)
    if began_s is None:
        return f"pid {pid} is gone"
    if began_s > made_s + CLOCK_SLACK_S:
        return f"pid {pid} is a process that started later"
    return ""


def started_s(pid: int) -> float | None:
    """When a process of this machine started, in seconds of the epoch; None when there is none (proc(5))."""
    try:
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else float(found.create_time())
    except (psutil.NoSuchProcess, ValueError):  # ValueError: no process has such a number
        return None
