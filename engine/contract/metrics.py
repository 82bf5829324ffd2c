"""The metrics page: a file that an engine maps shared and writes with plain 64-bit stores.

One writer per value, no locks: a reader copies 8 bytes at a time and may see values of different moments.
Counters and buckets never decrease while the process lives; a reader detects a restart by pid and
start_time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"HFTM"
VERSION = 1
HEADER_BYTES = 4096
PAGE_BYTES_MAX = 64 * 1024 * 1024

HEADER = struct.Struct("<4sI36sIIIQQ")
HEADER_FIELDS: tuple[tuple[str, str, int, str], ...] = (
    ("magic", "4 bytes", 0, "`HFTM`; written last, once everything else is"),
    ("version", "u32", 4, "1"),
    ("boot_id", "36 bytes", 8, "/proc/sys/kernel/random/boot_id"),
    ("pid", "u32", 44, "of the engine"),
    ("entries", "u32", 48, "rows of the directory, which begins at byte 4096"),
    ("reserved", "u32", 52, "zero"),
    ("start_time", "u64", 56, "field 22 of /proc/PID/stat: ticks since boot"),
    ("heartbeat_ns", "u64", 64, "CLOCK_MONOTONIC, stored by the hot loop"),
)
ENTRY = struct.Struct("<48sI12sQII")
ENTRY_FIELDS: tuple[tuple[str, str, int, str], ...] = (
    ("name", "48 bytes", 0, "ASCII, zero padded"),
    ("type", "u32", 48, "1 counter, 2 gauge, 3 buckets"),
    ("unit", "12 bytes", 52, "ASCII, zero padded: `1`, `ns`, `bytes`"),
    ("offset", "u64", 64, "of the value in the file, a multiple of 8"),
    ("writer", "u32", 72, "thread id of its only writer, 0 when unknown"),
    ("count", "u32", 76, "64-bit values at `offset`: 1, or the number of buckets"),
)


class Type(IntEnum):
    """How to read a value; a gauge is a signed integer, the others unsigned."""

    COUNTER = 1
    GAUGE = 2
    BUCKETS = 3


BUCKET_RULE = (
    "Buckets are log-linear, 128 to the power of two (0.8 % wide): a value v below 128 goes to bucket v; "
    "otherwise, "
    "with e = floor(log2 v) - 7, to bucket 128 e + (v >> e). Counts add up since the start and are never "
    "reset."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that every engine of its level has."""

    name: str
    type: Type
    unit: str
    meaning: str


CORE: tuple[Metric, ...] = (
    Metric(name="engine_state", type=Type.GAUGE, unit="1", meaning="number of the state, from the table"),
    Metric(name="engine_epoch", type=Type.GAUGE, unit="1", meaning="epoch held, 0 when none"),
    Metric(name="engine_latched", type=Type.GAUGE, unit="1", meaning="1 while the kill latch is set"),
    Metric(name="engine_hot_turns_total", type=Type.COUNTER, unit="1", meaning="turns of the hot loop"),
    Metric(name="engine_input_seq", type=Type.COUNTER, unit="1", meaning="last input of the core"),
    Metric(
        name="engine_journal_durable_seq", type=Type.COUNTER, unit="1", meaning="last input known on disk"
    ),
)
TRADING: tuple[Metric, ...] = (
    Metric(name="engine_feed_messages_total", type=Type.COUNTER, unit="1", meaning="ITCH messages processed"),
    Metric(
        name="engine_feed_strays_total",
        type=Type.COUNTER,
        unit="1",
        meaning="datagrams of senders that `feed_sources` does not name",
    ),
    Metric(name="engine_feed_gaps_total", type=Type.COUNTER, unit="1", meaning="gaps seen after arbitration"),
    Metric(
        name="engine_orders_sent_total", type=Type.COUNTER, unit="1", meaning="orders written to the gateway"
    ),
    Metric(
        name="engine_cancels_sent_total",
        type=Type.COUNTER,
        unit="1",
        meaning="cancels written to the gateway",
    ),
    Metric(name="engine_executions_total", type=Type.COUNTER, unit="1", meaning="executions received"),
    Metric(
        name="engine_risk_refused_total",
        type=Type.COUNTER,
        unit="1",
        meaning="intents the risk checks refused",
    ),
    Metric(name="engine_open_orders", type=Type.GAUGE, unit="1", meaning="orders not known to be closed"),
    Metric(
        name="engine_user_span_ns", type=Type.BUCKETS, unit="ns", meaning="receive stamp to return of send"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a page's directory with its values."""

    type: int
    unit: str
    offset: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A copy of a metrics page."""

    version: int
    boot_id: str
    pid: int
    start_time: int
    heartbeat_ns: int
    entries: dict[str, Entry]


def read_page(data: bytes) -> Page:
    """A page from its bytes; ValueError with one sentence when it is not one."""
    if len(data) < HEADER_BYTES or data[:4] != MAGIC:
        raise ValueError("not a metrics page: too short, or without HFTM at its start")
    _, version, boot_id, pid, count, _, start_time, heartbeat_ns = HEADER.unpack_from(data)
    if version != VERSION or HEADER_BYTES + count * ENTRY.size > len(data):
        raise ValueError(f"metrics page of version {version} with {count} entries does not fit")
    entries = dict(_entry(data, HEADER_BYTES + row * ENTRY.size) for row in range(count))
    return Page(
        version=version, boot_id=boot_id.decode("ascii", "replace"), pid=pid, start_time=start_time,
        heartbeat_ns=heartbeat_ns, entries=entries,
    )  # fmt: skip


def _entry(data: bytes, at: int) -> tuple[str, Entry]:
    name, type_, unit, offset, _, count = ENTRY.unpack_from(data, at)
    if offset % 8 or offset + 8 * count > len(data) or type_ not in tuple(Type):
        raise ValueError(f"entry at byte {at} points outside the page, or has an unknown type")
    form = "q" if type_ == Type.GAUGE else "Q"
    values = struct.unpack_from(f"<{count}{form}", data, offset)
    text = name.rstrip(b"\0").decode("ascii", "replace")
    return text, Entry(
        type=type_, unit=unit.rstrip(b"\0").decode("ascii", "replace"), offset=offset, values=values
    )
