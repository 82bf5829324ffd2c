"""The journal as files: append records, read them back, truncate an incomplete tail."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from pathlib import Path
from typing import NamedTuple

from engine.independent.fault import INVARIANT, EndError
from engine.independent.mutants import broken

START, MARKET, RESPONSE, TICK, ADMIN, LIMITS, EPOCH, STATE, INTENT, LINK = 1, 2, 4, 5, 6, 7, 8, 9, 10, 12
_KNOWN = range(1, 13)
_HEAD = struct.Struct("<4sHHIIQQQqIIQ")
_INPUT = 2


def _rows() -> list[int]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (0x82F63B78 if row & 1 else 0)  # noqa: PLW2901  # one bit at a time
        rows.append(row)
    return rows


_ROWS = _rows()


def crc32c(data: bytes, seed: int) -> int:
    """CRC32C (Castagnoli), continuing from SEED."""
    seed ^= 0xFFFFFFFF
    for byte in data:
        seed = _ROWS[(seed ^ byte) & 255] ^ seed >> 8
    return seed ^ 0xFFFFFFFF


class Record(NamedTuple):
    """The result of reading."""

    kind: int
    flags: int
    input_seq: int
    mono: int
    utc: int
    payload: bytes


class EngineJournal:
    """One directory with one segment."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._path = directory / "000001.hftj"
        self._durable = durable
        self._crc = 0
        self._file = -1
        self.broken = False
        self.appended = self.durable = self.recovered = self.dropped = 0

    def recover(self) -> list[Record]:
        """All complete records; sets the offset for appending."""
        data = self._path.read_bytes() if self._path.exists() else b""
        records, end = [], 0
        while (found := _record(data, end, self._crc)) is not None:
            record, self._crc, end = found
            if record.kind in _KNOWN:
                records.append(record)
            elif not record.flags & 1 and not broken("journal.unknown_kind"):
                raise EndError(INVARIANT, f"{self._path}: record kind {record.kind} is not known here")
            self.appended = self.durable = max(self.appended, record.input_seq)
        self.recovered, self.dropped = len(records), len(data) - end
        return records

    def open(self) -> None:
        """Truncate the tail and open for appending."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if self.dropped:
            self._keep_what_is_cut()
        os.ftruncate(self._file, os.fstat(self._file).st_size - self.dropped)
        if self.dropped and broken("journal.recovers"):
            self.dropped = 0
        os.lseek(self._file, 0, os.SEEK_END)

    def _keep_what_is_cut(self) -> None:
        """What is no whole record stays beside the segment, under a name that nothing has yet."""
        tail = os.pread(self._file, self.dropped, os.fstat(self._file).st_size - self.dropped)
        number = 1
        while (kept := self._path.with_name(f"{self._path.name}.cut{number}")).exists():
            number += 1
        kept.write_bytes(tail)

    def append(self, kind: int, payload: bytes, epoch: int, *, is_input: bool = False) -> Record:
        """Write one record; a full disk marks the journal broken instead of stopping a kill."""
        self.appended += is_input
        if is_input and self.appended == 5 and broken("journal.records"):
            self.appended += 1
        record = Record(kind, _INPUT * is_input, self.appended, time.monotonic_ns(), time.time_ns(), payload)
        data, crc = _encode(record, epoch, self._crc)
        if self.broken or self._file < 0:
            return record
        try:
            self._write(data)
            self._crc = crc
        except OSError:
            self.broken = True
        if self._durable:
            self.sync()
        return record

    def _write(self, data: bytes) -> None:
        if os.write(self._file, data) != len(data):
            raise OSError("short write")

    def sync(self) -> bool:
        """Sync everything to disk; returns whether that worked."""
        with contextlib.suppress(OSError):
            os.fdatasync(self._file)
            self.durable = self.appended if not self.broken else self.durable
        return not self.broken


def _encode(record: Record, epoch: int, previous: int) -> tuple[bytes, int]:
    def head(crc: int) -> bytes:
        return _HEAD.pack(
            b"HFTJ", 1, record.kind, record.flags, len(record.payload), epoch, record.input_seq, record.mono,
            record.utc, previous, crc, 0,
        )  # fmt: skip

    crc = crc32c(record.payload, crc32c(head(0), previous))
    return head(crc) + record.payload + bytes(-len(record.payload) % 8), crc


def _record(data: bytes, at: int, previous: int) -> tuple[Record, int, int] | None:
    """One record, its CRC and the offset after it; None where the journal ends."""
    if len(data) < at + _HEAD.size:
        return None
    magic, version, kind, flags, length, epoch, seq, mono, utc, before, crc, _ = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    end = at + _HEAD.size + length + -length % 8
    if magic != b"HFTJ" or version != 1 or before != previous or end > len(data):
        return None
    record = Record(kind, flags, seq, mono, utc, payload)
    if _encode(record, epoch, previous)[1] != crc:
        return None
    return record, crc, end


def read(directory: Path) -> list[Record]:
    """The records of a journal opened read-only."""
    if not directory.is_dir():
        raise EndError(64, f"{directory}: no such directory")
    return EngineJournal(directory, durable=False).recover()
