"""What one call measured, its goals, and the document that machines read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.engine.books import Books, Rates
from bench.engine.buckets import Span
from bench.engine.latency import Hop, Latency, decision_of, pooled_by_label, relay_spread
from bench.engine.layout import Layout
from bench.engine.load_report import Histogram, figures
from bench.engine.rig import Ran
from bench.engine.risk import Risk
from bench.engine.search import found
from bench.engine.sustained import Sustained, arrived
from bench.engine.verdict import (
    Goal,
    judge_above_relay,
    judge_book,
    judge_risk,
    judge_spans,
    judge_sustained,
)

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """None is what was not asked for."""

    layout: Layout
    books: Books | None = None
    risk: Risk | None = None
    sustained: Sustained | None = None
    latency: Latency | None = None
    hop: Hop | None = None


def goals(results: Results) -> tuple[Goal, ...]:
    """Every goal that this call can say something about."""
    found_goals: list[Goal] = []
    alone = results.layout.is_alone
    if books := results.books:
        main = books.rates[0]
        rates = main.stages["decode+book"]
        found_goals.append(judge_book(rates.median, main.size.messages, main.stolen_max))
    if risk := results.risk:
        most = risk.rows[-1]
        found_goals.append(judge_risk(most.judge_ns.median, most.open, risk.size.calls, risk.stolen_max))
    if sustained := results.sustained:
        found_goals += judge_sustained(arrived(sustained.ran), is_alone=alone)
    if latency := results.latency:
        losses = [loss for ran in latency.runs for loss in ran.losses]
        others = max(ran.run.others_cpu_share for ran in latency.runs)
        found_goals.append(judge_above_relay(decision_of(latency)))
        found_goals += judge_spans(latency.decision, latency.user_span, losses, others, is_alone=alone)
    return tuple(found_goals)


def histograms(results: Results) -> dict[str, Histogram]:
    """Latencies from intended time by label, for the plot and the HDR files."""
    by_label: dict[str, Histogram] = {}
    if results.latency:
        by_label |= pooled_by_label(results.latency.runs)
    if results.hop:
        by_label |= pooled_by_label(results.hop.runs)
    if results.sustained and results.sustained.ran.run.latency.total:
        by_label["sustained"] = results.sustained.ran.run.latency
    return by_label


def spans(results: Results) -> dict[str, Span]:
    """The engine's own histograms that hold anything."""
    if results.latency is None:
        return {}
    both = {"decision stage": results.latency.decision, "user span": results.latency.user_span}
    return {name: span for name, span in both.items() if span.total}


def to_dict(results: Results, machine: Mapping[str, Any]) -> dict[str, Any]:
    """For machines."""
    return {
        "schema": 1,
        "machine": dict(machine),
        "cpus": asdict(results.layout),
        "books": _books_dict(results.books) if results.books else None,
        "risk": _risk_dict(results.risk) if results.risk else None,
        "sustained": _sustained_dict(results.sustained) if results.sustained else None,
        "latency": _latency_dict(results.latency) if results.latency else None,
        "hop": _hop_dict(results.hop) if results.hop else None,
        "goals": [
            {
                "what": goal.what, "wanted": goal.wanted, "seen": goal.seen,
                "verdict": goal.verdict.value, "why": goal.why,
            }
            for goal in goals(results)
        ],
    }  # fmt: skip


def _books_dict(books: Books) -> dict[str, Any]:
    beside = [
        {
            "name": one.name, "version": one.version, "stage": one.stage, "ratio": round(one.ratio, 1),
            "theirs": one.theirs.to_dict(), "ours": one.ours.to_dict(),
        }
        for one in books.beside
    ]  # fmt: skip
    return {"rates": [_rates_dict(rates) for rates in books.rates], "beside": beside}


def _rates_dict(rates: Rates) -> dict[str, Any]:
    return {
        "messages": rates.size.messages, "live": rates.size.live, "symbols": rates.size.symbols,
        "mix": rates.mix, "types": dict(rates.types), "prefetch": rates.prefetch, "digest": rates.digest,
        "digest_equal": True, "live_at_end": rates.live_at_end, "stolen_max": rates.stolen_max,
        "messages_per_s": {name: spread.to_dict() for name, spread in rates.stages.items()},
    }  # fmt: skip


def _risk_dict(risk: Risk) -> dict[str, Any]:
    return {
        "calls": risk.size.calls,
        "stolen_max": risk.stolen_max,
        "rows": [
            {
                "open": row.open, "judge_ns": row.judge_ns.to_dict(), "judge_p99_ns": row.judge_p99_ns,
                "book_ns": row.book_ns.to_dict(),
            }
            for row in risk.rows
        ],
    }  # fmt: skip


def _sustained_dict(sustained: Sustained) -> dict[str, Any]:
    best, limit = found(sustained.trials)
    return {
        "asked_per_s": sustained.size.noise_per_s,
        "run": _ran_dict(sustained.ran),
        "messages_per_s": arrived(sustained.ran).messages_per_s,
        "highest_per_s": best,
        "limit": limit,
        "trials": [
            {"asked_per_s": one.asked_per_s, "sent_per_s": one.sent_per_s, "losses": list(one.losses)}
            for one in sustained.trials
        ],
    }


def _latency_dict(latency: Latency) -> dict[str, Any]:
    return {
        "runs": [_ran_dict(ran) for ran in latency.runs],
        "pooled_ns": {label: _figures(seen) for label, seen in pooled_by_label(latency.runs).items()},
        "relay_against_relay": relay_spread(latency.runs),
        "decision_ns": _span_dict(latency.decision),
        "user_span_ns": _span_dict(latency.user_span),
    }


def _hop_dict(hop: Hop) -> dict[str, Any]:
    return {
        "runs": [_ran_dict(ran) for ran in hop.runs],
        "p50_ns": hop.p50_ns,
        "p99_ns": hop.p99_ns,
        "gateway": [_without_buckets(ran.hop) for ran in hop.runs if ran.hop],
    }


def _without_buckets(ways: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {way: {name: seen[name] for name in seen if name != "buckets"} for way, seen in ways.items()}


def _ran_dict(ran: Ran) -> dict[str, Any]:
    kept = ("plan", "orders", "sent", "next_sequence", "rerequests", "receiver_drops", "own_thread")
    return {
        "label": ran.run.label,
        "losses": list(ran.losses),
        "latency_ns": _figures(ran.run.latency),
        "backlog_ns_max": ran.run.backlog_ns_max,
        "others_cpu_share": ran.run.others_cpu_share,
        "duration_ns": ran.run.duration_ns,
        "generator": {name: ran.raw[name] for name in kept},
        "engine": None if ran.engine is None else dict(ran.engine.counters),
    }


def _figures(histogram: Histogram) -> dict[str, int] | None:
    if not histogram.total:
        return None
    seen = figures(histogram)
    shares = {"p50": seen.p50_ns, "p99": seen.p99_ns, "p99.9": seen.p999_ns}
    return {**shares, "max": seen.max_ns, "count": seen.count}


def _span_dict(span: Span) -> dict[str, Any]:
    by_share = {name: span.at_share(share) for name, share in SHARES.items()} if span.total else {}
    return {"count": span.total, **by_share, "by_bucket_top": {str(top): n for top, n in span.tops().items()}}
