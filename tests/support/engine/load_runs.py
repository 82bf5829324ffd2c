"""Invented runs of the load generator: their histograms, and the turns in which a comparison takes them."""

from __future__ import annotations

from bench.engine.load_report import (
    ENGINE,
    PAIRS_MIN,
    RELAY,
    Histogram,
    Run,
    lowest_at,
)


def index_of(value: int) -> int:
    """The bucket, found by looking for it: no formula shared with the code under test."""
    low, high = 0, 60_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if lowest_at(middle) <= value else (low, middle - 1)
    return low


def histogram(values: list[int]) -> Histogram:
    counts: dict[int, int] = {}
    for value in values:
        counts[index_of(value)] = counts.get(index_of(value), 0) + 1
    return Histogram(counts=counts, max_ns=max(values, default=0))


def run(label: str, p50_ns: int, tail_ns: int = 40_000) -> Run:
    latency = histogram([p50_ns] * 980 + [tail_ns] * 20)
    return Run(
        label=label, latency=latency, backlog_ns_max=50_000, missing=0, unmatched=0, repeated=0, rerequests=0,
        send_failed=0, receiver_drops=0, peer_lost=False, others_cpu_share=0.01,
        duration_ns=10**9, matched=1000,
    )  # fmt: skip


def abba(engine_ns: int = 13_000, relay_ns: int = 12_000, pairs: int = PAIRS_MIN) -> list[Run]:
    relay, engine = run(RELAY, relay_ns), run(ENGINE, engine_ns)
    runs: list[Run] = []
    for pair in range(pairs):
        runs += [relay, engine] if pair % 2 == 0 else [engine, relay]
    return runs
