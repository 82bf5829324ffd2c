"""An engine's own histograms: cumulative buckets of the metrics page, and what two readings tell of the time
between.

The layout is the contract's (engine/contract/metrics.py, BUCKET_RULE): a value below 128 is its own
bucket, above that 128 buckets for each doubling. Counts are never reset, so a span of time is a
difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PARTS = 128


def top_of(index: int) -> int:
    """The largest value that is counted in this bucket."""
    exponent = max(index // PARTS - 1, 0)
    return ((index - PARTS * exponent + 1) << exponent) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Counts of one histogram between two readings, by bucket."""

    counts: tuple[int, ...]

    @classmethod
    def between(cls, before: Sequence[int], after: Sequence[int]) -> Span:
        """What came between two readings; ValueError when a bucket went down."""
        counts = tuple(late - early for early, late in zip(before, after, strict=True))
        if any(count < 0 for count in counts):
            raise ValueError("a bucket went down between two readings: not one process, or not a page")
        return cls(counts=counts)

    @property
    def total(self) -> int:
        return sum(self.counts)

    def at_share(self, share: float) -> int:
        """The value in ns that `share` of all do not exceed: the top of its bucket; ValueError when empty."""
        wanted = max(1, round(share * self.total))
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return top_of(index)
        raise ValueError("an empty histogram has no percentiles")

    def tops(self) -> dict[int, int]:
        """Counts by the largest value of their bucket, empty ones left out."""
        return {top_of(index): count for index, count in enumerate(self.counts) if count}


def pooled(spans: Sequence[Span]) -> Span:
    """Several spans counted together."""
    return Span(counts=tuple(map(sum, zip(*(span.counts for span in spans), strict=True))))
