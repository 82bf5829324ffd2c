"""A file that a person named, read within a bound: `/dev/zero`, a pipe, or a file that grows meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

FILE_MAX = 32 << 20  # of a plan or a snapshot
WRITER_S = 5.0
_MOMENT_S = 0.05
_CHUNK = 1 << 20


def read_bounded(path: Path, size_max: int) -> bytes:
    """The bytes of a file; OSError when they cannot be read or are more than SIZE_MAX, of which the size that
    the file system names is no evidence.

    A pipe is read to its end, such as that of <(...); one that nobody opens for writing is given up.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        data = bytearray(_first(descriptor, path) if stat.S_ISFIFO(mode) else b"")
        os.set_blocking(descriptor, True)
        while len(data) <= size_max and (piece := os.read(descriptor, min(_CHUNK, size_max + 1 - len(data)))):
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > size_max:
        raise OSError(errno.EFBIG, f"larger than {size_max >> 10} KiB", str(path))
    return bytes(data)


def reason_of(error: OSError | ValueError) -> str:
    """Why a file that was named cannot be used: the system's words without the path, or the reader's."""
    return getattr(error, "strerror", None) or str(error)


def _first(descriptor: int, path: Path) -> bytes:
    """What is in a pipe by now, once somebody has it open for writing."""
    until = time.monotonic() + WRITER_S
    while time.monotonic() < until:
        try:
            if data := os.read(descriptor, _CHUNK):
                return data
        except BlockingIOError:
            return b""  # there is a writer, who has not written yet
        time.sleep(_MOMENT_S)
    raise TimeoutError(errno.ETIMEDOUT, "a pipe that nobody writes into", str(path))
