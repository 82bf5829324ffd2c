"""An engine's metrics page (docs/engine-contract.md), read whole and never mapped.

The engine owns the file: whoever maps it may die of SIGBUS when it is made anew, and a lock would reach the
hot loop. A page whose process is gone (process id, start time and boot id) is absent, not old. Bucket by
bucket it has thousands of values; what is exported are counts up to the edges below. A bucket that straddles
an edge counts as beyond it, so a share within the budget is never too good (by at most 0.8 % of the edge).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent import durable
from agent.collect.sample import Sample, UnreadError, sample
from agent.errors import RefusedError
from agent.host import HostRoot
from tuning.units import UNIT_DIR

MAGIC, VERSION = b"HFTM", 1
HEADER, ENTRY = struct.Struct("<4sI36sIIIQQ"), struct.Struct("<48sI12sQII")
DIRECTORY = 4096
PAGE_MAX = 64 << 20
COUNTER, GAUGE, BUCKETS = 1, 2, 3
SPAN = "engine_user_span_ns"
# Metric of the page -> what it is exported as.
EXPORTED: Mapping[str, str] = {
    "engine_state": "hft_engine_state",
    "engine_latched": "hft_engine_latched",
    "engine_epoch": "hft_engine_epoch",
    "engine_feed_gaps_total": "hft_engine_feed_gaps_total",
    "engine_orders_sent_total": "hft_engine_orders_sent_total",
    "engine_risk_refused_total": "hft_engine_risk_refused_total",
    "engine_input_seq": "hft_engine_input_seq",
    "engine_journal_durable_seq": "hft_engine_journal_durable_seq",
}
# Edges in nanoseconds and the one text of each: rules select a bucket by its text.
EDGES: tuple[tuple[int, str], ...] = (
    (1_000, "1e-06"), (2_000, "2e-06"), (3_000, "3e-06"), (5_000, "5e-06"), (7_000, "7e-06"),
    (10_000, "1e-05"), (15_000, "1.5e-05"), (20_000, "2e-05"), (30_000, "3e-05"), (50_000, "5e-05"),
    (70_000, "7e-05"), (100_000, "0.0001"), (200_000, "0.0002"), (500_000, "0.0005"), (1_000_000, "0.001"),
    (2_000_000, "0.002"), (5_000_000, "0.005"), (10_000_000, "0.01"), (100_000_000, "0.1"),
    (1_000_000_000, "1.0"),
)  # fmt: skip
SLOT_LINKS = "/opt/hft/slots"  # each leads to the release that was deployed last (docs/architecture.md)
_RELEASE = re.compile(r".*/releases/([0-9a-f]{12})[0-9a-f]{52}\Z")
QUANTILES = ("0.5", "0.99", "0.999", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A copy of a page."""

    boot_id: str
    pid: int
    start_time: int
    heartbeat_ns: int
    values: Mapping[str, tuple[int, ...]]


def parse_page(data: bytes) -> Page:
    """The page of these bytes.

    Raises: UnreadError.
    """
    if len(data) < DIRECTORY or data[:4] != MAGIC:
        raise UnreadError("not a metrics page")
    _, version, boot_id, pid, count, _, start_time, heartbeat_ns = HEADER.unpack_from(data)
    if version != VERSION or DIRECTORY + count * ENTRY.size > len(data):
        raise UnreadError(f"a page of version {version} with {count} entries does not fit")
    values = dict(_entry(data, DIRECTORY + row * ENTRY.size) for row in range(count))
    return Page(
        boot_id=boot_id.decode("ascii", "replace"),
        pid=pid,
        start_time=start_time,
        heartbeat_ns=heartbeat_ns,
        values=values,
    )


def _entry(data: bytes, at: int) -> tuple[str, tuple[int, ...]]:
    name, kind, _, offset, _, count = ENTRY.unpack_from(data, at)
    if kind not in (COUNTER, GAUGE, BUCKETS) or offset % 8 or offset + 8 * count > len(data):
        raise UnreadError(f"the entry at byte {at} points outside of the page")
    form = "q" if kind == GAUGE else "Q"
    return name.rstrip(b"\0").decode("ascii", "replace"), struct.unpack_from(f"<{count}{form}", data, offset)


def is_alive(host: HostRoot, page: Page) -> bool:
    """Whether the process that writes the page still runs: this boot, this id, this start (proc(5))."""
    stat = host.read(f"/proc/{page.pid}/stat") or ""
    words = stat.rpartition(")")[2].split()
    return page.boot_id == host.boot_id() and len(words) > 19 and words[19] == str(page.start_time)


def top_of(bucket: int) -> int:
    """The greatest value in a bucket: 128 buckets to the power of two."""
    if bucket < 128:
        return bucket
    exponent = bucket // 128 - 1
    return ((bucket - 128 * exponent + 1) << exponent) - 1


def up_to(buckets: Sequence[int], edge: int) -> int:
    """How many values lie in buckets that end at EDGE or below it."""
    exponent = max(0, edge.bit_length() - 8)
    at = 128 * exponent + (edge >> exponent)
    return sum(buckets[: at + 1]) if top_of(at) <= edge else sum(buckets[:at])


def quantile(buckets: Sequence[int], share: float) -> int | None:
    """The greatest value that the first SHARE of all may have; None of nothing."""
    total, seen = sum(buckets), 0
    for bucket, count in enumerate(buckets):
        seen += count
        if count and seen >= share * total:
            return top_of(bucket)
    return None


def slots(host: HostRoot) -> Iterator[str]:
    """The slots with a deployed engine."""
    for name in host.listdir(UNIT_DIR):
        match = re.fullmatch(r"hft-engine-([a-z0-9]{1,16})\.service", name)
        if match:
            yield match[1]


def release_of(host: HostRoot, slot: str) -> str | None:
    """The first digits of the digest of a slot's release; None where its link leads to none."""
    try:
        target = os.readlink(host.path(f"{SLOT_LINKS}/{slot}"))  # noqa: PTH115
    except OSError:
        return None
    match = _RELEASE.match(target)
    return match[1] if match else None


class Engines:
    """Reads the pages of all slots, and remembers each one's buckets for what came since the last look."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int, int], tuple[int, ...]] = {}

    def samples(self, host: HostRoot, monotonic_ns: int) -> Iterator[Sample]:
        """What the pages say now.

        Raises: UnreadError for a page that is none.
        """
        for slot in slots(host):
            yield sample("hft_slot_deployed", 1, slot=slot)
            if release := release_of(host, slot):
                yield sample("hft_slot_release_info", 1, slot=slot, release=release)
            data = read_page_file(host, f"/run/hft-engine-{slot}/metrics")
            page = parse_page(data) if data is not None else None
            if page is not None and is_alive(host, page):
                yield from self._of(slot, page, (monotonic_ns - page.heartbeat_ns) / 1e9)

    def _of(self, slot: str, page: Page, age_s: float) -> Iterator[Sample]:
        yield sample("hft_engine_heartbeat_age_seconds", round(max(0.0, age_s), 6), slot=slot)
        for name, exported in EXPORTED.items():
            if name in page.values:
                yield sample(exported, page.values[name][0], slot=slot)
        buckets = page.values.get(SPAN)
        if buckets is not None:
            yield from self._spans(slot, page, buckets)

    def _spans(self, slot: str, page: Page, buckets: tuple[int, ...]) -> Iterator[Sample]:
        name = "hft_engine_user_span_seconds"
        for edge, le in EDGES:
            yield sample(f"{name}_bucket", up_to(buckets, edge), slot=slot, le=le)
        total = sum(buckets)
        yield sample(f"{name}_bucket", total, slot=slot, le="+Inf")
        yield sample(f"{name}_count", total, slot=slot)
        key = (slot, page.pid, page.start_time)
        before = self._before.get(key)
        self._before = {one: old for one, old in self._before.items() if one[0] != slot} | {key: buckets}
        since = [now - then for now, then in zip(buckets, before, strict=True)] if before else []
        for share in QUANTILES:
            value = quantile(since, float(share))
            if value is not None:
                yield sample("hft_engine_user_span_last_seconds", value / 1e9, slot=slot, quantile=share)


def read_page_file(host: HostRoot, path: str) -> bytes | None:
    """The bytes of a page file, None where there is none; the engine's account may lay anything there.

    Raises: UnreadError for one that is too large, a link, or no regular file.
    """
    try:
        found = durable.read_regular(host, path, PAGE_MAX)
    except RefusedError as error:
        raise UnreadError(f"{error}") from error
    return None if found is None else found[0]
