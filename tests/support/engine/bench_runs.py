"""Invented runs of the engine's benchmark: spans by the contract's rule, and what the two ends counted."""

from __future__ import annotations

from bench.engine.buckets import Span
from bench.engine.rig import EngineEnd, Ran
from tests.support.engine.load_runs import run


def index_by_rule(value: int) -> int:
    """The contract's sentence (BUCKET_RULE), word for word."""
    if value < 128:
        return value
    e = value.bit_length() - 1 - 7
    return 128 * e + (value >> e)


def span(*values: int) -> Span:
    counts = [0] * (128 * 40)
    for value in values:
        counts[index_by_rule(value)] += 1
    return Span(counts=tuple(counts))


def ran(label: str, p50_ns: int = 12_000, end: EngineEnd | None = None) -> Ran:
    raw = {"next_sequence": 5000, "orders": {"received": 1000}}
    return Ran(run=run(label, p50_ns), raw=raw, engine=end)
