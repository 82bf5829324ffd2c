"""The kill latch: 4 KiB written twice in place, so that neither a full disk nor a torn write can clear it.

Each copy is magic, length, JSON and a CRC32 in 2,048 bytes. One valid copy that is set means set; clear
needs two valid copies; anything else is unreadable and counts as set. A kill on a full disk still latches,
since both copies were allocated when the file was created.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

from engine.independent import text
from engine.independent.mutants import broken

_COPY = 2048
_HEAD = struct.Struct("<4sII")
UNREADABLE = {"scope": "engine", "id": "", "reason": "latch unreadable"}


class Latch:
    """The latch file of one engine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, *, first_start: bool) -> dict[str, Any] | None:
        """Why it is set, or None when clear; the first start creates the file."""
        if not self._path.exists() and first_start:
            self.write(None)
        try:
            data = self._path.read_bytes()
            copies = [_decode(data[:_COPY]), _decode(data[_COPY:])]
        except OSError:
            copies = [UNREADABLE, UNREADABLE]
        if UNREADABLE in copies and broken("latch.unreadable"):
            copies = [None if copy is UNREADABLE else copy for copy in copies]
        if (copies[0] or copies[1]) and broken("latch.stays"):
            self.write(None)
        return copies[0] or copies[1]

    def write(self, why: dict[str, Any] | None) -> None:
        """Set or clear it, on disk before this returns."""
        data = text.canonical(why)
        copy = (_HEAD.pack(b"HFTL", len(data), zlib.crc32(data)) + data).ljust(_COPY, b"\0")
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for place in (0, _COPY):
                os.pwrite(handle, copy, place)
                os.fsync(handle)
        finally:
            os.close(handle)


def _decode(copy: bytes) -> dict[str, Any] | None:
    """The content of one copy; UNREADABLE when it is invalid."""
    try:
        magic, length, crc = _HEAD.unpack_from(copy)
        data = copy[_HEAD.size : _HEAD.size + length]
        if magic != b"HFTL" or zlib.crc32(data) != crc:
            return UNREADABLE
        value = text.load(data)
    except (struct.error, ValueError):
        return UNREADABLE
    return value if value is None or isinstance(value, dict) else UNREADABLE
