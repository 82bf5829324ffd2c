"""Goals of the engine and how a verdict comes about: ok, missed, or INCONCLUSIVE with its reason.

A goal that only a busy machine could have spoilt is INCONCLUSIVE when it was not reached, and ok when it was
reached all the same: disturbance makes a rate lower and a latency longer, never the other way round. The
difference between engine and relay has no such direction, so there a busy machine makes even a good figure
INCONCLUSIVE (bench/engine/load_report.py decides that one). A quick form proves nothing about time at all.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bench.engine.buckets import Span
from bench.engine.load_report import OTHERS_CPU_SHARE_MAX, Decision, Outcome
from bench.engine.sizes import (
    BOOK_MESSAGES_MIN,
    DATAGRAM_BYTES_MAX,
    ORDERS_GOAL_PER_S,
    RATE_GOAL_PER_S,
    RISK_CALLS_MIN,
    SUSTAINED_GOAL_S,
)

BOOK_GOAL_PER_S = 10_000_000
RISK_GOAL_NS = 60
DECISION_GOAL_NS = 2_000
USER_SPAN_GOAL_NS = 10_000
SAMPLES_MIN = 10_000  # a p99 of fewer rests on less than a hundred values


class BenchOutcome(enum.Enum):
    """What is known about a goal."""

    OK = "ok"
    MISSED = "missed"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal, what was seen of it, and why that is no verdict when it is none."""

    what: str
    wanted: str
    seen: str
    verdict: BenchOutcome
    why: str = ""


def judged(  # noqa: PLR0913  # a goal has these parts
    what: str, wanted: str, seen: str, *, is_met: bool, small: str = "", busy: str = ""
) -> Goal:
    """The rule of this house: too SMALL to say anything, met, BUSY as an excuse, missed; in this order."""
    if small:
        verdict, why = BenchOutcome.INCONCLUSIVE, small
    elif is_met:
        verdict, why = BenchOutcome.OK, ""
    elif busy:
        verdict, why = BenchOutcome.INCONCLUSIVE, busy
    else:
        verdict, why = BenchOutcome.MISSED, ""
    return Goal(what=what, wanted=wanted, seen=seen, verdict=verdict, why=why)


def busy_machine(others_share: float, *, is_alone: bool = True) -> str:
    """The excuse that a machine gives; empty when it was quiet."""
    if not is_alone:
        return "one CPU for generator and engine"
    if others_share > OTHERS_CPU_SHARE_MAX:
        return f"other processes took {others_share:.1%} of the CPUs, at most {OTHERS_CPU_SHARE_MAX:.0%} may"
    return ""


def judge_book(rate_per_s: float, messages: int, stolen: float) -> Goal:
    """Decode and book together: the median over the runs, and the most that others took of any of them."""
    enough = messages >= BOOK_MESSAGES_MIN
    return judged(
        "decode and book, recent-delete",
        f">= {BOOK_GOAL_PER_S / 1e6:.0f} M msg/s",
        f"{rate_per_s / 1e6:.2f} M msg/s",
        is_met=rate_per_s >= BOOK_GOAL_PER_S,
        small="" if enough else f"{messages:,} messages, {BOOK_MESSAGES_MIN:,} are needed",
        busy=busy_machine(stolen),
    )


def judge_risk(judge_ns: float, open_orders: int, calls: int, stolen: float) -> Goal:
    """Judging one order beside the most open ones: the median over the runs."""
    enough = calls >= RISK_CALLS_MIN
    return judged(
        f"risk rules, {open_orders:,} open orders",
        f"<= {RISK_GOAL_NS} ns",
        f"{judge_ns:.1f} ns",
        is_met=judge_ns <= RISK_GOAL_NS,
        small="" if enough else f"{calls:,} calls, {RISK_CALLS_MIN:,} are needed",
        busy=busy_machine(stolen),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Both ends of a sustained run."""

    duration_s: float
    messages: int
    datagrams: int
    bytes: int
    datagram_bytes_max: int
    answered: int
    losses: tuple[str, ...]
    others_share: float

    @property
    def messages_per_s(self) -> float:
        return self.messages / self.duration_s

    @property
    def answered_per_s(self) -> float:
        return self.answered / self.duration_s


def judge_sustained(seen: Arrived, *, is_alone: bool) -> tuple[Goal, ...]:
    """Rate, losses, answers and the size of datagrams; only all of them together are the goal."""
    small = ""
    if seen.duration_s < SUSTAINED_GOAL_S:
        small = f"{seen.duration_s:.1f} s, {SUSTAINED_GOAL_S:.0f} s are needed"
    busy = busy_machine(seen.others_share, is_alone=is_alone)

    def goal(what: str, wanted: str, shown: str, is_met: bool) -> Goal:
        return judged(f"sustained: {what}", wanted, shown, is_met=is_met, small=small, busy=busy)

    lost = ", ".join(seen.losses)
    return (
        goal(
            "messages into the engine",
            f"> {RATE_GOAL_PER_S / 1e6:.0f} M/s for {SUSTAINED_GOAL_S:.0f} s",
            f"{seen.messages_per_s / 1e6:.2f} M/s for {seen.duration_s:.0f} s",
            seen.messages_per_s > RATE_GOAL_PER_S,
        ),
        goal("overflow, re-requests, losses", "none", lost or "none", not seen.losses),
        goal(
            "orders answered",
            f">= {ORDERS_GOAL_PER_S:,}/s",
            f"{seen.answered_per_s:,.0f}/s",
            seen.answered_per_s >= ORDERS_GOAL_PER_S,
        ),
        goal(
            "largest datagram",
            f"<= {DATAGRAM_BYTES_MAX:,} B",
            f"{seen.datagram_bytes_max:,} B",
            seen.datagram_bytes_max <= DATAGRAM_BYTES_MAX,
        ),
    )


def judge_above_relay(decision: Decision) -> Goal:
    """What bench/engine/load_report.py decided, as a goal of this report."""
    verdict = {
        Outcome.PASS: BenchOutcome.OK,
        Outcome.FAIL: BenchOutcome.MISSED,
        Outcome.INCONCLUSIVE: BenchOutcome.INCONCLUSIVE,
    }[decision.outcome]
    is_open = verdict is BenchOutcome.INCONCLUSIVE
    return Goal(
        what="engine p50 above the relay's",
        wanted="<= 2 us",
        seen="" if is_open else decision.why,
        verdict=verdict,
        why=decision.why if is_open else "",
    )


def judge_spans(
    decision: Span, user_span: Span, losses: Sequence[str], others_share: float, *, is_alone: bool
) -> tuple[Goal, ...]:
    """The engine's own two histograms, between the warm-up and the end of every run."""
    samples = min(decision.total, user_span.total)
    small = f"{samples:,} orders, {SAMPLES_MIN:,} are needed" if samples < SAMPLES_MIN else ""
    busy = busy_machine(others_share, is_alone=is_alone) or (f"a run lost: {losses[0]}" if losses else "")
    goals = []
    for what, span, share, limit_ns, sign in (
        ("decision stage p99", decision, 0.99, DECISION_GOAL_NS, "<="),
        ("user span p50", user_span, 0.50, USER_SPAN_GOAL_NS, "<"),
    ):
        at_ns = span.at_share(share) if span.total else 0
        is_met = span.total > 0 and (at_ns < limit_ns or (sign == "<=" and at_ns == limit_ns))
        shown = f"{at_ns / 1e3:.2f} us" if span.total else "nothing recorded"
        goals.append(
            judged(what, f"{sign} {limit_ns / 1e3:.0f} us", shown, is_met=is_met, small=small, busy=busy)
        )
    return tuple(goals)
