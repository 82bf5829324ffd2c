"""What a running engine owns alone: claimed before anything is cut, replaced or unlinked.

A claim is a record lock (fcntl(2)) on `PATH.lock`, or on `owner.lock` in a directory: the kernel knows who
holds it and ends it with the process. Nothing else may open a lock file, since closing it ends the lock.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from pathlib import Path

from engine.independent.fault import CONFIGURATION, RETRY, EndError
from engine.independent.mutants import broken

_FLOCK = struct.Struct("hhqqi")  # struct flock: type, whence, start, length, pid
_HELD: list[int] = []  # until the process ends


def claim(directory: Path, *paths: Path) -> None:
    """Own DIRECTORY and PATHS, or end: 75 names the process that owns one, 64 says who else could write."""
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    _refuse_open(directory, strict=True)
    for lock in (directory / "owner.lock", *(Path(f"{path}.lock") for path in paths)):
        _refuse_open(lock.parent, strict=False)
        _lock(lock)
    for path in (*paths, *directory.glob("*.hftj")):
        if path.is_symlink():
            raise EndError(CONFIGURATION, f"{path} is a link")


def _refuse_open(directory: Path, *, strict: bool) -> None:
    seen = directory.lstat() if strict else directory.stat()
    is_open = seen.st_mode & 0o022 and (strict or not seen.st_mode & stat.S_ISVTX)
    if not stat.S_ISDIR(seen.st_mode) or is_open or seen.st_uid not in (0, os.geteuid()):
        raise EndError(CONFIGURATION, f"{directory} is a link, another user's, or writable by others")


def _lock(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EndError(CONFIGURATION, f"{path}: {error.strerror}") from error
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        holder = _FLOCK.unpack(fcntl.fcntl(handle, fcntl.F_GETLK, asked))[4]
        if broken("start.owned"):
            return
        raise EndError(RETRY, f"{path} is locked by process {holder}; nothing was changed") from None
    _HELD.append(handle)
