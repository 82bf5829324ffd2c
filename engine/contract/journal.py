"""The journal: a 64-byte little-endian record header that never changes, and the kinds tools must know.

A journal is a directory of segments `*.hftj`, read in name order. A segment is a sequence of records without
gaps; it ends at the end of the file, or at four zero bytes in place of a magic (a preallocated tail). A
record that is incomplete, or whose checksum is wrong, ends the journal there: what follows does not count.
CRC32C is the Castagnoli polynomial (RFC 3720 appendix B.4), computed over the header with its crc field zero
and the unpadded payload, with the CRC of the previous record as its seed (0 for the first); the chain
continues across segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

MAGIC = 0x4A544648  # b"HFTJ" read as a little-endian integer
VERSION = 1
SKIPPABLE, INPUT = 1, 2
SUFFIX = ".hftj"
LENGTH_MAX = 16 * 1024 * 1024

HEADER = struct.Struct("<IHHIIQQQqIIQ")
# name, type, offset: one row of the page each, and what HEADER packs.
FIELDS: tuple[tuple[str, str, int, str], ...] = (
    ("magic", "u32", 0, "the bytes `HFTJ`"),
    ("version", "u16", 4, "1"),
    ("kind", "u16", 6, "kind of the payload"),
    ("flags", "u32", 8, "bit 0: a reader may skip a kind that it does not know; bit 1: an input of the core"),
    ("length", "u32", 12, "payload bytes; the payload is padded with zeros to a multiple of 8"),
    ("epoch", "u64", 16, "the epoch held when it was written, 0 when none"),
    ("input_seq", "u64", 24, "inputs: one more than the previous input; others: that of their input"),
    ("monotonic_ns", "u64", 32, "CLOCK_MONOTONIC"),
    ("utc_ns", "i64", 40, "CLOCK_REALTIME"),
    ("previous_crc", "u32", 48, "crc32c of the previous record, 0 for the first"),
    ("crc32c", "u32", 52, "of this header with this field zero, then the payload, seeded with previous_crc"),
    ("reserved", "u64", 56, "zero"),
)  # fmt: skip


class Kind(IntEnum):
    """Record kinds; 1 to 99 belong to the contract, 100 and up to the engine (skippable, or only its own)."""

    START = 1
    MARKET_FULL = 2
    MARKET_REF = 3
    RESPONSE = 4
    TICK = 5
    ADMIN = 6
    LIMITS = 7
    EPOCH = 8
    STATE = 9
    INTENT = 10
    SEAL = 11
    LINK = 12


KIND_PAYLOAD: dict[Kind, str] = {
    Kind.START: 'JSON `{"artifact":..,"config":..,"pid":..}`; not an input, first record of every run',
    Kind.MARKET_FULL: "input: one MoldUDP64 packet after arbitration, as received",
    Kind.MARKET_REF: "input: session[10] first_sequence u64 count u32 crc32c u32; production",
    Kind.RESPONSE: "input: one sequenced OUCH message from the gateway",
    Kind.TICK: "input: u64 nanoseconds, a timer tick seen by the core",
    Kind.ADMIN: 'input: JSON `{"uid":..,"request":{..}}`; signals appear as the verb they stand for',
    Kind.LIMITS: "input: the limits file's bytes",
    Kind.EPOCH: "input: u64, the highest epoch from now on",
    Kind.STATE: 'JSON `{"from":..,"to":..,"why":..}`; a run starts from INIT',
    Kind.INTENT: "the OUCH message as it will be sent; written before it is sent",
    Kind.SEAL: "SHA-256 over all record bytes since the previous seal; written by the persister",
    Kind.LINK: "input: JSON, a change of the session at the gateway, e.g. "
    '`{"up":true,"next_urn":7}`, `{"replayed":12}`',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One complete record."""

    version: int
    kind: int
    flags: int
    epoch: int
    input_seq: int
    monotonic_ns: int
    utc_ns: int
    previous_crc: int
    crc32c: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """All complete records, and why reading ended: empty when the journal ends cleanly."""

    records: tuple[Record, ...]
    ended: str
    segment: str = ""
    offset: int = 0  # in that segment, after the last complete record


def _table() -> tuple[int, ...]:
    rows: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_CRC = _table()


def crc32c(data: bytes, seed: int = 0) -> int:
    """CRC32C of DATA, continuing from SEED as zlib.crc32 does."""
    value = seed ^ 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def record_bytes(record: Record) -> bytes:
    """The bytes of a record with a fresh checksum and its padding."""

    def header(crc: int) -> bytes:
        return HEADER.pack(
            MAGIC, record.version, record.kind, record.flags, len(record.payload), record.epoch,
            record.input_seq,
            record.monotonic_ns, record.utc_ns, record.previous_crc, crc, 0,
        )  # fmt: skip

    crc = crc32c(record.payload, crc32c(header(0), record.previous_crc))
    return header(crc) + record.payload + bytes(-len(record.payload) % 8)


def read_journal(directory: Path) -> Journal:
    """Every complete record of the segments in DIRECTORY, in order."""
    records: list[Record] = []
    previous, segment, offset = 0, "", 0
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        for at, found in _segment(path.read_bytes(), previous):
            if isinstance(found, str):
                ended = f"{path.name}: {found}"
                return Journal(records=tuple(records), ended=ended, segment=segment, offset=offset)
            previous, segment, offset = found.crc32c, path.name, at
            records.append(found)
    return Journal(records=tuple(records), ended="", segment=segment, offset=offset)


def _segment(data: bytes, previous: int) -> Iterator[tuple[int, Record | str]]:
    """The records of one segment with their end offsets; the reason where reading stopped."""
    at = 0
    while at < len(data) and data[at : at + 4] != bytes(4)[: len(data) - at]:
        found = _record(data, at, previous)
        if isinstance(found, str):
            yield at, found
            return
        previous = found.crc32c
        at += HEADER.size + len(found.payload) + -len(found.payload) % 8
        yield at, found


def _record(data: bytes, at: int, previous: int) -> Record | str:
    if len(data) - at < HEADER.size:
        return f"offset {at}: header is truncated"
    magic, version, kind, flags, length, epoch, seq, mono, utc, before, crc, reserved = HEADER.unpack_from(
        data, at
    )
    start = at + HEADER.size
    if magic != MAGIC or reserved or length > LENGTH_MAX:
        return f"offset {at}: not a record"
    if start + length + -length % 8 > len(data):
        return f"offset {at}: payload is truncated"
    payload = data[start : start + length]
    header = data[at : at + 52] + bytes(4) + data[at + 56 : start]
    if before != previous or crc32c(payload, crc32c(header, before)) != crc:
        return f"offset {at}: checksum"
    return Record(
        version=version, kind=kind, flags=flags, epoch=epoch, input_seq=seq, monotonic_ns=mono, utc_ns=utc,
        previous_crc=before, crc32c=crc, payload=payload,
    )  # fmt: skip
