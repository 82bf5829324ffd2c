"""The metrics page: one mapped file, written with plain stores."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

from engine.independent.mutants import broken

COUNTER, GAUGE, BUCKETS = 1, 2, 3
BUCKET_COUNT = 128 * 40
ROWS: tuple[tuple[str, int, str], ...] = (
    ("engine_state", GAUGE, "1"), ("engine_epoch", GAUGE, "1"), ("engine_latched", GAUGE, "1"),
    ("engine_hot_turns_total", COUNTER, "1"), ("engine_input_seq", COUNTER, "1"),
    ("engine_journal_durable_seq", COUNTER, "1"), ("engine_feed_messages_total", COUNTER, "1"),
    ("engine_feed_gaps_total", COUNTER, "1"), ("engine_orders_sent_total", COUNTER, "1"),
    ("engine_cancels_sent_total", COUNTER, "1"), ("engine_executions_total", COUNTER, "1"),
    ("engine_risk_refused_total", COUNTER, "1"), ("engine_open_orders", GAUGE, "1"),
    ("engine_feed_strays_total", COUNTER, "1"),
    ("engine_user_span_ns", BUCKETS, "ns"),
)  # fmt: skip
_DIRECTORY = 4096
_VALUES = 8192


class Page:
    """The page of this process."""

    def __init__(self, path: Path) -> None:
        size = _VALUES + 8 * (len(ROWS) - 1 + BUCKET_COUNT)
        # Made aside: whoever has the page of the run before mapped keeps it whole.
        aside = path.with_name(f"{path.name}.new")
        aside.unlink(missing_ok=True)
        handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.ftruncate(handle, size)
        self._map = mmap.mmap(handle, size)
        os.close(handle)
        self._at = {name: _VALUES + 8 * row for row, (name, _, _) in enumerate(ROWS)}
        rows = [
            row for row in ROWS if not (row[0] == "engine_journal_durable_seq" and broken("metrics.page"))
        ]
        for row, (name, kind, unit) in enumerate(rows):
            count = BUCKET_COUNT if kind == BUCKETS else 1
            entry = (name.encode(), kind, unit.encode(), self._at[name], os.getpid(), count)
            struct.pack_into("<48sI12sQII", self._map, _DIRECTORY + 80 * row, *entry)
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_bytes()[:36]
        stat = Path("/proc/self/stat").read_text(encoding="ascii")
        started = int(stat.rpartition(")")[2].split()[19])
        struct.pack_into("<I36sIIIQ", self._map, 4, 1, boot_id, os.getpid(), len(rows), 0, started)
        self.beat()
        self._map[:4] = b"HFTM"
        aside.replace(path)

    def beat(self) -> None:
        """The hot loop turned."""
        self.add("engine_hot_turns_total", 1)
        struct.pack_into("<Q", self._map, 64, time.monotonic_ns())

    def set(self, name: str, value: int) -> None:
        """Store a value."""
        struct.pack_into("<q", self._map, self._at[name], value)

    def get(self, name: str) -> int:
        """Read a value back."""
        return int(struct.unpack_from("<q", self._map, self._at[name])[0])

    def add(self, name: str, more: int) -> None:
        """Increment; there is no other writer."""
        self.set(name, self.get(name) + more)

    def span(self, elapsed_ns: int) -> None:
        """Count one user span in its bucket."""
        exponent = max(0, elapsed_ns.bit_length() - 8)
        bucket = min(BUCKET_COUNT - 1, 128 * exponent + (elapsed_ns >> exponent))
        at = self._at["engine_user_span_ns"] + 8 * bucket
        struct.pack_into("<Q", self._map, at, struct.unpack_from("<Q", self._map, at)[0] + 1)
