"""What is kept of every look at a clock, and what a span of them proves (RTS 25, EU 2017/574). Pure.

A line is one look: the divergence and its bound, who the time is from over how many clocks, how fine it is,
who disagreed, and the verdict. What nobody looked at is not proven: a gap is named, never filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from checks.clock.facts import NS, ClockFacts
from checks.clock.judge import best_watch, reading_of
from checks.verdict import Finding, Verdict, worst
from inventory.model import PtpEntry

EVENT = "clock"
# Findings that say whether the time was right; the rest is about who may change it next.
OF_TIME = frozenset({"clock.daemon", "clock.grandmaster", "clock.offset", "clock.utc_offset", "clock.watch"})


def line_of(host: str, entry: PtpEntry, facts: ClockFacts, findings: Sequence[Finding]) -> dict[str, Any]:
    """One look as it is kept; times and divergences in nanoseconds, null for what was not seen."""
    reading, watch, ptp = reading_of(facts.ptp), best_watch(facts), facts.ptp
    parent, properties = (ptp.parent, ptp.properties) if ptp is not None else (None, None)
    follows = reading is not None
    return {
        "event": EVENT,
        "host": host,
        "at": datetime.fromtimestamp(facts.at_utc_ns // NS, UTC).isoformat(timespec="seconds"),
        "at_utc_ns": facts.at_utc_ns,
        "limit_ns": entry.utc_error_us_max * 1000,
        "offset_ns": reading.offset_ns if reading else None,
        "error_ns": reading.error_ns if reading else None,
        "path_delay_ns": reading.path_delay_ns if reading else None,
        "samples": reading.samples if reading else 0,
        "grandmaster": parent.grandmaster if parent and follows else None,
        "clock_class": parent.clock_class if parent and follows else None,
        "clock_accuracy": parent.clock_accuracy if parent and follows else None,
        "steps_removed": ptp.current.steps_removed if ptp and ptp.current and follows else None,
        "is_traceable": properties.is_time_traceable if properties and follows else None,
        "tai_utc_s": properties.utc_offset_s if properties and properties.is_utc_offset_valid else None,
        "granularity_ns": facts.granularity_ns,
        "watch": watch.address if watch else None,
        "watch_offset_ns": watch.offset_ns if watch else None,
        "watch_error_ns": watch.error_ns if watch else None,
        "verdict": str(worst(findings)),
        "time_verdict": str(worst(one for one in findings if one.check in OF_TIME)),
        "reasons": sorted({one.reason for one in findings if one.reason and one.verdict is not Verdict.OK}),
    }


def locked_at(lines: Iterable[Mapping[str, Any]]) -> int | None:
    """When the last look saw the clock follow a grandmaster, ns since 1970; None for never."""
    seen = [line["at_utc_ns"] for line in lines if line.get("offset_ns") is not None]
    return max((at for at in seen if isinstance(at, int)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What the looks of a span prove; `gap_s` is the longest time without one, `worst_ns` null for none."""

    looks: int
    within: int
    beyond: int
    unknown: int
    first: str | None
    last: str | None
    gap_s: float
    worst_ns: int | None
    granularity_ns: int | None
    grandmasters: tuple[str, ...]
    untraceable: int

    @property
    def verdict(self) -> Verdict:
        """Beyond the limit once is violated; a look that could not say, or no look, is unverifiable."""
        if self.beyond:
            return Verdict.VIOLATED
        return Verdict.OK if self.looks and self.within == self.looks else Verdict.UNVERIFIABLE


def span_of(lines: Sequence[Mapping[str, Any]]) -> Span:
    """The sum of the looks."""
    times = sorted(line["at_utc_ns"] for line in lines if isinstance(line.get("at_utc_ns"), int))
    gaps = [(after - before) / NS for before, after in pairwise(times)]
    errors = [line["error_ns"] for line in lines if isinstance(line.get("error_ns"), int)]
    grains = [line["granularity_ns"] for line in lines if isinstance(line.get("granularity_ns"), int)]
    verdicts = [line.get("time_verdict") for line in lines]
    whom = {line["grandmaster"] for line in lines if isinstance(line.get("grandmaster"), str)}
    return Span(
        looks=len(lines),
        within=verdicts.count("ok"),
        beyond=verdicts.count("violated"),
        unknown=len(lines) - verdicts.count("ok") - verdicts.count("violated"),
        first=str(lines[0].get("at")) if lines else None,
        last=str(lines[-1].get("at")) if lines else None,
        gap_s=max(gaps, default=0.0),
        worst_ns=max(errors, default=None),
        granularity_ns=max(grains, default=None),
        grandmasters=tuple(sorted(whom)),
        untraceable=sum(line.get("is_traceable") is not True for line in lines),
    )
