"""What one issuer owns alone: the path of its socket, claimed before a socket there is replaced.

The claim is a record lock (fcntl(2)) on `PATH.lock`: the kernel knows who holds it and ends it with the
process. Nothing else may open the lock file, since closing it ends the lock.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from pathlib import Path

from engine.ticket.errors import TicketError

_FLOCK = struct.Struct("hhqqi")  # struct flock: type, whence, start, length, pid
_HELD: list[int] = []  # until the process ends


def claim_path(path: Path) -> None:
    """Own PATH, or TicketError: `owned` names the process that does, `config` says why nobody should."""
    _refuse_open(path.parent)
    lock = path.with_name(f"{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TicketError("config", f"{lock}: {error.strerror}") from error
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        holder = _FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_GETLK, asked))[4]
        os.close(handle)
        raise TicketError("owned", f"{path} is owned by process {holder}; nothing was changed") from error
    _HELD.append(handle)


def drop_left_socket(path: Path) -> None:
    """Remove the socket that a killed issuer left; TicketError `config` when it is anything else."""
    try:
        left = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(left.st_mode):
        raise TicketError("config", f"{path} is not a socket")
    path.unlink()


def _refuse_open(directory: Path) -> None:
    """In a directory that others write, both files could be replaced; a sticky one (/tmp) will do."""
    seen = directory.stat()
    is_open = seen.st_mode & 0o022 and not seen.st_mode & stat.S_ISVTX
    if is_open or seen.st_uid not in (0, os.geteuid()):
        raise TicketError("config", f"{directory} is another user's, or writable by others")
