"""What the engine costs above the relay, its own two spans, and what the gateway adds.

Relay and engine take turns, ABBA, so that a slow minute slows both; each run starts its program anew. The
engine's spans come from its own histograms, between the end of the warm-up and the end of each run. For
the gateway, the engine directly at the generator's venue end and the engine behind the gateway take turns
the same way; beside the difference stands what the gateway itself measured between receiving and
forwarding.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.engine.buckets import Span, pooled
from bench.engine.figures import Tell
from bench.engine.load_report import (
    ENGINE,
    RELAY,
    Decision,
    Histogram,
    decide,
    inconclusive,
    pool,
    same_against_same,
)
from bench.engine.rig import DECISION, USER_SPAN, Ran, Rig
from bench.engine.settings import DIRECT, GATEWAY
from bench.engine.sizes import LoadSize, Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Runs in the order they were made."""

    size: LoadSize
    runs: tuple[Ran, ...]
    decision: Span
    user_span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Engine behind its gateway less engine without: medians over the pairs, in ns."""

    runs: tuple[Ran, ...]
    p50_ns: float
    p99_ns: float


def in_turn(first: str, second: str, pairs: int) -> list[str]:
    """first, second, second, first, first, second, ...: ABBA."""
    order = []
    for pair in range(pairs):
        order += [first, second] if pair % 2 == 0 else [second, first]
    return order


def bench_latency(rig: Rig, sizes: Sizes, tell: Tell) -> Latency:
    """Relay and engine in turn."""
    runs = _run_all(rig, in_turn(RELAY, ENGINE, sizes.pairs), sizes.latency, tell)
    ends = [ran.engine for ran in runs if ran.engine is not None]
    return Latency(
        size=sizes.latency,
        runs=tuple(runs),
        decision=pooled([end.spans[DECISION] for end in ends]),
        user_span=pooled([end.spans[USER_SPAN] for end in ends]),
    )


def bench_hop(rig: Rig, sizes: Sizes, tell: Tell) -> Hop:
    """Engine directly and engine behind the gateway in turn."""
    apart = rig.laid_out(rig.layout.for_gateway())
    runs = _run_all(apart, in_turn(DIRECT, GATEWAY, sizes.hop_pairs), sizes.latency, tell)
    return Hop(runs=tuple(runs), p50_ns=hop_ns(runs, 0.50), p99_ns=hop_ns(runs, 0.99))


def hop_ns(runs: Sequence[Ran], share: float) -> float:
    """The median over the pairs of the difference at one percentile; 0 where nothing was measured."""
    differences = []
    for one, other in zip(runs[0::2], runs[1::2], strict=True):
        direct, behind = (one, other) if other.run.label == GATEWAY else (other, one)
        if direct.run.latency.total and behind.run.latency.total:
            differences.append(behind.run.latency.at_share(share) - direct.run.latency.at_share(share))
    return statistics.median(differences) if differences else 0.0


def decision_of(latency: Latency) -> Decision:
    """What load_report.py makes of the runs; a loss that only the engine counted counts as well."""
    for number, ran in enumerate(latency.runs, start=1):
        if only := [loss for loss in ran.losses if loss not in ran.run.losses]:
            return inconclusive(f"run {number} ({ran.run.label}) does not count: {', '.join(only)}")
    return decide([ran.run for ran in latency.runs])


def pooled_by_label(runs: Sequence[Ran]) -> dict[str, Histogram]:
    """Each label's latencies together, labels with nothing measured left out."""
    found = {}
    for label in dict.fromkeys(ran.run.label for ran in runs):
        together = pool(ran.run.latency for ran in runs if ran.run.label == label)
        if together.total:
            found[label] = together
    return found


def relay_spread(runs: Sequence[Ran]) -> float | None:
    """Relay against relay at p99 or p99.9; None when there are too few of them."""
    relays = [ran.run for ran in runs if ran.run.label == RELAY and ran.run.latency.total]
    return same_against_same(relays) if len(relays) > 1 else None


def _run_all(rig: Rig, labels: Sequence[str], size: LoadSize, tell: Tell) -> list[Ran]:
    runs = []
    for number, label in enumerate(labels, start=1):
        runs.append(rig.run(label, size))
        seen = runs[-1].run
        p50 = f"p50 {seen.latency.at_share(0.5) / 1e3:.2f} us" if seen.latency.total else "nothing measured"
        told = ", ".join(runs[-1].losses) or "nothing lost"
        tell(f"latency: run {number} of {len(labels)}: {label}: {p50}, {told}")
    return runs
