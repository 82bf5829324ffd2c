"""Latency of one restart: a histogram for each second, recorded from the intended time. Pure.

Buckets are those of the engine's metrics page (docs/engine-contract.md): 128 to the power of two, 0.8 % wide.
They merge by adding and are never averaged. Recording from the *intended* send time keeps a stall from hiding
the orders that it delayed (coordinated omission; Gil Tene, HdrHistogram).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Arm = Literal["baseline", "candidate"]
SUB_BUCKETS = 128
BUCKET_MAX = 64 * SUB_BUCKETS
QUANTILES: Mapping[str, float] = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One second: how many were due, and how many were answered in which bucket."""

    intended: int
    counts: Mapping[int, int]

    @property
    def recorded(self) -> int:
        """How many were answered."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """One life of a process, from its start to its stop."""

    arm: Arm
    release: str  # digest of what ran
    windows: Sequence[Window]


def bucket_of(value: int) -> int:
    """The bucket of a latency in nanoseconds."""
    if value < SUB_BUCKETS:
        return value
    shift = value.bit_length() - 8
    return SUB_BUCKETS * shift + (value >> shift)


def highest_in(bucket: int) -> int:
    """The highest latency of a bucket, in nanoseconds."""
    if bucket < 2 * SUB_BUCKETS:
        return bucket
    shift = bucket // SUB_BUCKETS - 1
    return ((bucket - SUB_BUCKETS * shift + 1) << shift) - 1


def quantile_ns(window: Window, share: float) -> int:
    """The latency that this share of the window's messages did not exceed; ValueError for an empty window."""
    total = window.recorded
    if total == 0:
        raise ValueError("a window without a message has no quantile")
    rank, seen = max(1, -(-total * int(share * 1_000_000) // 1_000_000)), 0
    for bucket in sorted(window.counts):
        seen += window.counts[bucket]
        if seen >= rank:
            return highest_in(bucket)
    raise AssertionError("the counts add up to the total")
