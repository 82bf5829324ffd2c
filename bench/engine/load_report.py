"""Reads the counts of hft-load, turns them into figures, and decides whether they prove anything.

A run is one hft-load JSON file: raw bucket counts of latency from *intended* time, how late its own triggers
left (backlog), what was lost, and the CPU share of other processes. The buckets are those of HdrHistogram
with three significant digits, so `hdr_v2` passes them on without rebinning.

The engine is judged against the relay: same generator, sockets, CPUs and schedule, no logic. The two
alternate, ABBA, for at least ten pairs. The rules, in this order, each with its message:

1. too few pairs, or not interleaved: INCONCLUSIVE;
2. a run that lost anything, or whose triggers left late: INCONCLUSIVE (it does not count);
3. a busy machine: INCONCLUSIVE;
4. relay against relay differs by more than a fifth at p99 or p99.9: INCONCLUSIVE;
5. the median over the pairs of engine p50 minus relay p50: PASS up to 2 us, FAIL beyond.

    python -m bench.engine.load_report RUN.json RUN.json ...      # in the order they were run
"""

from __future__ import annotations

import argparse
import enum
import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAIRS_MIN = 10
GATE_P50_NS = 2_000
BACKLOG_NS_MAX = 1_000_000
OTHERS_CPU_SHARE_MAX = 0.02
SAME_AGAINST_SAME_SPREAD_MAX = 0.20
SUB_BUCKETS = 2_048  # HdrHistogram's count for three significant digits
HALF = SUB_BUCKETS // 2
RELAY, ENGINE = "relay", "engine"


class ReportError(ValueError):
    """A file not written by hft-load."""


class Outcome(enum.Enum):
    """What a set of runs proves."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts by bucket index; `max_ns` is exact, everything else has bucket resolution."""

    counts: Mapping[int, int]
    max_ns: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def counts_by_top(self) -> dict[int, int]:
        """Counts by the upper bound of their bucket, capped at the largest value recorded."""
        by_top: dict[int, int] = {}
        for index in sorted(self.counts):
            top = min(lowest_at(index + 1) - 1, self.max_ns)
            by_top[top] = by_top.get(top, 0) + self.counts[index]
        return by_top

    def at_share(self, share: float) -> int:
        """The quantile at `share`: the upper bound of the bucket that reaches it."""
        wanted = max(1, round(share * self.total))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return min(lowest_at(index + 1) - 1, self.max_ns)
        raise ReportError("an empty histogram has no percentiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the generator against one program."""

    label: str
    latency: Histogram
    backlog_ns_max: int
    missing: int
    unmatched: int
    repeated: int
    rerequests: int
    send_failed: int
    receiver_drops: int | None
    peer_lost: bool
    others_cpu_share: float
    duration_ns: int
    matched: int

    @property
    def losses(self) -> tuple[str, ...]:
        """Why the run does not count, in words; empty when it does."""
        counted = {
            "orders missing": self.missing,
            "orders without a trigger": self.unmatched,
            "triggers answered twice": self.repeated,
            "re-requests": self.rerequests,
            "datagrams not sent": self.send_failed,
        }
        found = [f"{count} {what}" for what, count in counted.items() if count]
        if self.receiver_drops is None:
            found.append("receiver drops unknown")
        elif self.receiver_drops:
            found.append(f"{self.receiver_drops} datagrams dropped at the receiver")
        if self.peer_lost:
            found.append("connection lost")
        if self.latency.total == 0:
            found.append("nothing measured")
        if self.backlog_ns_max >= BACKLOG_NS_MAX:
            found.append(f"a trigger left {self.backlog_ns_max / 1e6:.1f} ms late")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """p50, p99, p99.9 and maximum of pooled runs, in ns."""

    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome and its sentence."""

    outcome: Outcome
    why: str


def lowest_at(index: int) -> int:
    """The smallest value that HdrHistogram counts at this index (lowest discernible value 1)."""
    if index < SUB_BUCKETS:
        return index
    bucket = index // HALF - 1
    return (index - bucket * HALF) << bucket


def pool(histograms: Iterable[Histogram]) -> Histogram:
    """Counts of several runs together."""
    counts: dict[int, int] = {}
    highest = 0
    for histogram in histograms:
        highest = max(highest, histogram.max_ns)
        for index, count in histogram.counts.items():
            counts[index] = counts.get(index, 0) + count
    return Histogram(counts=counts, max_ns=highest)


def figures(histogram: Histogram) -> Figures:
    return Figures(
        p50_ns=histogram.at_share(0.50),
        p99_ns=histogram.at_share(0.99),
        p999_ns=histogram.at_share(0.999),
        max_ns=histogram.max_ns,
        count=histogram.total,
    )


def spread(first: Histogram, second: Histogram) -> float:
    """How far two sets of the same kind differ at p99 and p99.9: the larger over the smaller, minus 1."""
    apart = []
    for share in (0.99, 0.999):
        low, high = sorted((first.at_share(share), second.at_share(share)))
        apart.append(max(high, 1) / max(low, 1) - 1)
    return max(apart)


def same_against_same(runs: Sequence[Run]) -> float:
    """Relay against relay: every other run pooled against the rest."""
    return spread(pool(run.latency for run in runs[0::2]), pool(run.latency for run in runs[1::2]))


def pairs_of(runs: Sequence[Run]) -> tuple[tuple[Run, Run], ...] | None:
    """(relay, engine) pairs of runs; None when they are not in ABBA order."""
    if len(runs) % 2:
        return None
    pairs = []
    for place, (first, second) in enumerate(zip(runs[0::2], runs[1::2], strict=True)):
        wanted = (RELAY, ENGINE) if place % 2 == 0 else (ENGINE, RELAY)
        if (first.label, second.label) != wanted:
            return None
        pairs.append((first, second) if wanted[0] == RELAY else (second, first))
    return tuple(pairs)


def decide(runs: Sequence[Run]) -> Decision:
    """What the runs, in the order they were made, prove about the engine's cost over the relay."""
    pairs = pairs_of(runs)
    if pairs is None:
        return inconclusive("the runs are not relay, engine, engine, relay and so on")
    if len(pairs) < PAIRS_MIN:
        return inconclusive(f"{len(pairs)} pairs of runs, at least {PAIRS_MIN} are needed")
    for number, run in enumerate(runs, start=1):
        if run.losses:
            return inconclusive(f"run {number} ({run.label}) does not count: {', '.join(run.losses)}")
    busiest = max(runs, key=lambda run: run.others_cpu_share)
    if busiest.others_cpu_share > OTHERS_CPU_SHARE_MAX:
        return inconclusive(
            f"other processes took {busiest.others_cpu_share:.1%} of the CPUs during a run of the "
            f"{busiest.label}, at most {OTHERS_CPU_SHARE_MAX:.0%} may go to them"
        )
    apart = same_against_same([relay for relay, _ in pairs])
    if apart > SAME_AGAINST_SAME_SPREAD_MAX:
        return inconclusive(
            f"relay against relay differs by {apart:.0%} at p99 or p99.9, more than "
            f"{SAME_AGAINST_SAME_SPREAD_MAX:.0%}"
        )
    extra_ns = statistics.median(
        engine.latency.at_share(0.5) - relay.latency.at_share(0.5) for relay, engine in pairs
    )
    sentence = (
        f"engine p50 is {extra_ns / 1e3:.2f} us above the relay's (median of {len(pairs)} pairs), "
        f"the limit is {GATE_P50_NS / 1e3:.0f} us"
    )
    return Decision(outcome=Outcome.PASS if extra_ns <= GATE_P50_NS else Outcome.FAIL, why=sentence)


def inconclusive(why: str) -> Decision:
    return Decision(outcome=Outcome.INCONCLUSIVE, why=why)


def parse_run(text: str) -> Run:
    """One file of hft-load; missing or contradictory values raise a ReportError."""
    try:
        raw = json.loads(text)
        return Run(
            label=str(raw["label"]),
            latency=parse_histogram(raw["latency_ns"]),
            backlog_ns_max=int(raw["backlog_ns"]["max"]),
            missing=int(raw["orders"]["missing"]),
            unmatched=int(raw["orders"]["unmatched"]),
            repeated=int(raw["orders"]["repeated"]),
            rerequests=int(raw["rerequests"]),
            send_failed=int(raw["sent"]["failed"]),
            receiver_drops=None if raw["receiver_drops"] is None else int(raw["receiver_drops"]),
            peer_lost=bool(raw["peer_lost"]),
            others_cpu_share=float(raw["others_cpu_share"]),
            duration_ns=int(raw["duration_ns"]),
            matched=int(raw["orders"]["matched"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"not a run of hft-load: {error!r}") from error


def parse_histogram(raw: Mapping[str, Any]) -> Histogram:
    layout = (raw["unit"], raw["lowest"], raw["significant_digits"])
    if layout != ("ns", 1, 3):
        raise ReportError(f"bucket layout is not ns, lowest 1, three digits: {layout}")
    histogram = Histogram(
        counts={int(index): int(count) for index, count in raw["counts"]}, max_ns=int(raw["max"])
    )
    if histogram.total != int(raw["total"]):
        raise ReportError(f"counts add up to {histogram.total}, the file says {raw['total']}")
    return histogram


def hdr_v2(histogram: Histogram, highest_ns: int = 3_600_000_000_000) -> bytes:
    """HdrHistogram's V2 format, compressed and base64, as every HDR tool reads it."""
    from hdrh.histogram import HdrHistogram

    made = HdrHistogram(1, highest_ns, 3)
    for index, count in histogram.counts.items():
        made.record_value(lowest_at(index), count)
    return bytes(made.encode())


def report_lines(runs: Sequence[Run]) -> list[str]:
    """A line for each label with its pooled figures, relay against relay, and the decision."""
    lines = []
    for label in dict.fromkeys(run.label for run in runs):
        pooled = pool(run.latency for run in runs if run.label == label)
        if pooled.total == 0:
            lines.append(f"{label}: nothing measured")
            continue
        seen = figures(pooled)
        lines.append(
            f"{label}: p50 {seen.p50_ns / 1e3:.2f}, p99 {seen.p99_ns / 1e3:.2f}, p99.9 "
            f"{seen.p999_ns / 1e3:.2f}, max {seen.max_ns / 1e3:.2f} us; {seen.count} orders, intended time"
        )
    relays = [run for run in runs if run.label == RELAY and run.latency.total]
    if len(relays) > 1:
        lines.append(f"relay against relay: {same_against_same(relays):.1%} apart at p99 or p99.9")
    decision = decide(runs)
    lines.append(f"{decision.outcome.value}: {decision.why}")
    return lines


def main(argv: Sequence[str]) -> int:
    """0 PASS, 1 FAIL, 75 INCONCLUSIVE (run it again on a quieter machine), 64 wrong input."""
    parser = argparse.ArgumentParser(prog="load_report", description="judge runs of hft-load, given in order")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--hdr", type=Path, help="also write each label's pooled histogram as LABEL.hdr here")
    arguments = parser.parse_args(argv)
    try:
        runs = [parse_run(path.read_text(encoding="utf-8")) for path in arguments.runs]
    except (ReportError, OSError) as error:
        print(f"load_report: {error}", file=sys.stderr)
        return 64
    if arguments.hdr is not None:
        for label in {run.label for run in runs}:
            pooled = pool(run.latency for run in runs if run.label == label)
            (arguments.hdr / f"{label}.hdr").write_bytes(hdr_v2(pooled))
    print("\n".join(report_lines(runs)))
    return {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 75}[decide(runs).outcome]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
