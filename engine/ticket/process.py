"""What a host knows for certain about a running process: from the kernel, never from the process itself.

/proc/PID/exe refers to the very file that is running, even if its name now refers to another (proc(5)). A pid
alone may be reused, so a process is identified by pid and start time, read before and after everything else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from engine.ticket.errors import TicketError

_START_TIME_FIELD = 22  # of /proc/PID/stat, counted from 1
_FIELDS_BEHIND_NAME_FROM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of this boot."""

    boot_id: str
    pid: int
    start_time: int  # clock ticks since boot
    uid: int
    exe_sha256: str  # hex


def start_time_of(pid: int) -> int:
    """Field 22 of /proc/PID/stat; the name in field 2 may contain spaces and parentheses."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TicketError("process_gone", f"process {pid} is gone") from error
    return int(stat.rpartition(")")[2].split()[_START_TIME_FIELD - _FIELDS_BEHIND_NAME_FROM])


def read_process(pid: int, uid: int) -> Process:
    """The facts about PID; TicketError `process_gone` when it exited or was replaced meanwhile."""
    before = start_time_of(pid)
    try:
        exe_sha256 = file_sha256(Path(f"/proc/{pid}/exe"))
    except OSError as error:
        raise TicketError("process_gone", f"/proc/{pid}/exe cannot be read: {error.strerror}") from error
    if start_time_of(pid) != before:
        raise TicketError("process_gone", f"process {pid} was replaced while it was examined")
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Process(boot_id=boot_id, pid=pid, start_time=before, uid=uid, exe_sha256=exe_sha256)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
