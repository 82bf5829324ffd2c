"""The pure half of the engine's benchmarks: what a figure proves, where to search on, what counts as lost."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.engine.books import STAGES, rates_of
from bench.engine.buckets import Span, pooled, top_of
from bench.engine.latency import Latency, decision_of, hop_ns, in_turn
from bench.engine.load_report import ENGINE, PAIRS_MIN, RELAY, Decision, Outcome, decide
from bench.engine.plot import curve
from bench.engine.rig import MUST_BE_ZERO, EngineEnd, Ran
from bench.engine.risk import risk_of
from bench.engine.search import Probe, found, next_rate
from bench.engine.settings import DIRECT, GATEWAY
from bench.engine.sizes import QUICK, BookSize, RiskSize
from bench.engine.sustained import feed_losses
from bench.engine.verdict import (
    SAMPLES_MIN,
    Arrived,
    BenchOutcome,
    Goal,
    busy_machine,
    judge_above_relay,
    judge_book,
    judge_risk,
    judge_spans,
    judge_sustained,
    judged,
)
from bench.errors import BenchError
from tests.support.engine.bench_runs import index_by_rule, ran, span
from tests.support.engine.load_runs import abba


@given(st.integers(0, 2**40))
def test_bucket_ends_where_the_next_begins(value: int) -> None:
    index = index_by_rule(value)
    assert value <= top_of(index) <= value + value // 128
    assert (index_by_rule(top_of(index)), index_by_rule(top_of(index) + 1)) == (index, index + 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.sampled_from((0.5, 0.9, 0.99, 0.999)))
def test_share_of_a_span_is_the_sorted_value_within_a_bucket(values: list[int], share: float) -> None:
    exact = sorted(values)[max(1, round(share * len(values))) - 1]
    assert exact <= span(*values).at_share(share) <= exact + exact // 128
    assert pooled([span(*values), span(*values)]).at_share(0.5) == span(*values, *values).at_share(0.5)


def test_warmup_is_subtracted_and_a_bucket_that_fell_is_refused() -> None:
    before, after = [5, 0, 1], [5, 3, 1]
    assert Span.between(before, after).tops() == {1: 3}
    with pytest.raises(ValueError, match="went down"):
        Span.between(after, before)
    with pytest.raises(ValueError, match="no percentiles"):
        Span.between(before, before).at_share(0.5)


def tried(capacity: Callable[[int], tuple[float, bool]], start: int, most: int) -> list[Probe]:
    trials: list[Probe] = []
    while rate := next_rate(trials, start, most):
        sent, whole = capacity(rate)
        trials.append(Probe(asked_per_s=rate, sent_per_s=sent, losses=() if whole else ("7 lost",)))
    return trials


@given(engine=st.integers(100_000, 20_000_000), generator=st.integers(100_000, 20_000_000))
def test_search_ends_and_never_claims_more_than_arrived_whole(engine: int, generator: int) -> None:
    trials = tried(lambda rate: (min(rate, generator), min(rate, generator) <= engine), 1_000_000, 9)
    best, why = found(trials)
    assert len(trials) <= 9 and best <= min(engine, generator)
    if engine < 1_000_000 <= generator:
        assert best == 0 or best >= 0.8 * engine, why
    if generator > 1_000_000 and 1_000_000 < engine < 15_000_000 and len(trials) < 9:
        assert best >= 0.85 * min(engine, generator), why


def test_search_stops_at_the_generators_limit_and_says_so() -> None:
    trials = tried(lambda rate: (min(rate, 2_000_000), True), 1_500_000, 6)
    assert [trial.asked_per_s for trial in trials] == [1_500_000, 2_250_000]
    assert found(trials) == (2_000_000, "the generator reached no more; asked for 2.25 M/s")


def test_search_halves_between_what_went_and_what_did_not() -> None:
    trials = tried(lambda rate: (rate, rate <= 1_900_000), 1_500_000, 6)
    assert [trial.asked_per_s for trial in trials] == [1_500_000, 2_250_000, 1_875_000, 2_062_500]
    assert found(trials) == (1_875_000, "2.06 M/s lost something")
    assert found([]) == (0.0, "every trial lost something")


@pytest.mark.parametrize(
    ("is_met", "small", "busy", "verdict"),
    [
        (True, "", "", BenchOutcome.OK), (True, "", "busy", BenchOutcome.OK),
        (False, "", "", BenchOutcome.MISSED),
        (False, "", "busy", BenchOutcome.INCONCLUSIVE), (True, "few", "", BenchOutcome.INCONCLUSIVE),
        (False, "few", "busy", BenchOutcome.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_small_comes_before_met_and_met_before_busy(
    is_met: bool, small: str, busy: str, verdict: BenchOutcome
) -> None:
    goal = judged("x", "y", "z", is_met=is_met, small=small, busy=busy)
    assert (goal.verdict, goal.why) == (verdict, small or ("" if is_met else busy))


def test_machine_is_an_excuse_only_when_it_was_busy() -> None:
    assert busy_machine(0.02) == ""
    assert "2.1%" in busy_machine(0.021)
    assert "one CPU" in busy_machine(0, is_alone=False)


def test_risk_rules_are_judged_beside_the_most_open_orders() -> None:
    assert judge_risk(60.0, 10_000, 1 << 20, 0.5).verdict is BenchOutcome.OK
    assert judge_risk(60.1, 10_000, 1 << 20, 0.02).verdict is BenchOutcome.MISSED
    assert judge_risk(60.1, 10_000, 1 << 20, 0.03).verdict is BenchOutcome.INCONCLUSIVE
    assert judge_risk(1.0, 10_000, (1 << 20) - 1, 0.0).verdict is BenchOutcome.INCONCLUSIVE


def test_risk_rows_are_those_that_were_asked_for() -> None:
    size = RiskSize(calls=512, runs=2, open=(0, 9))

    def run(*opens: int) -> dict[str, object]:
        row = {"judge_ns": 20.0, "judge_p99_ns": 30.0, "book_ns": 50.0, "stolen": 0.01}
        return {"rows": [{"open": count, **row} for count in opens]}

    assert [row.open for row in risk_of([run(0, 9), run(0, 9)], size).rows] == [0, 9]
    with pytest.raises(BenchError, match="open orders, not"):
        risk_of([run(0, 9), run(0)], size)


def test_book_goal_at_its_edge() -> None:
    assert judge_book(10_000_000, 8_000_000, 0.5).verdict is BenchOutcome.OK
    assert judge_book(9_999_999, 8_000_000, 0.02).verdict is BenchOutcome.MISSED
    assert judge_book(9_999_999, 8_000_000, 0.03).verdict is BenchOutcome.INCONCLUSIVE
    assert judge_book(20_000_000, 7_999_999, 0.0).verdict is BenchOutcome.INCONCLUSIVE


GOOD = Arrived(
    duration_s=60.0, messages=60_000_060, datagrams=1_600_000, bytes=1, datagram_bytes_max=1_400,
    answered=60_000, losses=(), others_share=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"messages": 60_000_000}, 0), ({"losses": ("1 datagrams dropped at the receiver",)}, 1),
        ({"answered": 59_999}, 2), ({"datagram_bytes_max": 1_401}, 3),
    ],
)  # fmt: skip
def test_each_part_of_the_sustained_goal_can_be_missed_alone(change: dict[str, object], place: int) -> None:
    assert [goal.verdict for goal in judge_sustained(GOOD, is_alone=True)] == [BenchOutcome.OK] * 4
    spoilt = replace(GOOD, **change)  # type: ignore[arg-type]
    verdicts = [goal.verdict for goal in judge_sustained(spoilt, is_alone=True)]
    assert verdicts == [BenchOutcome.MISSED if at == place else BenchOutcome.OK for at in range(4)]
    busy = [goal.verdict for goal in judge_sustained(replace(spoilt, others_share=0.5), is_alone=True)]
    assert busy[place] is BenchOutcome.INCONCLUSIVE


def test_fifty_nine_seconds_sustain_nothing() -> None:
    goals = judge_sustained(replace(GOOD, duration_s=59.9), is_alone=True)
    assert {goal.verdict for goal in goals} == {BenchOutcome.INCONCLUSIVE}


def spans_goals(decision_ns: int, user_ns: int, count: int = SAMPLES_MIN, **how: object) -> list[Goal]:
    facts: dict[str, object] = {"losses": (), "others_share": 0.0, "is_alone": True, **how}
    return list(judge_spans(span(*[decision_ns] * count), span(*[user_ns] * count), **facts))  # type: ignore[arg-type]


def test_spans_are_judged_at_their_limits() -> None:
    assert [goal.verdict for goal in spans_goals(1_980, 9_900)] == [BenchOutcome.OK, BenchOutcome.OK]
    assert [goal.verdict for goal in spans_goals(2_016, 10_048)] == [BenchOutcome.MISSED, BenchOutcome.MISSED]
    lossy = spans_goals(9_000, 9_000, losses=("3 orders missing",))
    assert (lossy[0].verdict, "3 orders missing" in lossy[0].why) == (BenchOutcome.INCONCLUSIVE, True)
    assert {goal.verdict for goal in spans_goals(1, 1, SAMPLES_MIN - 1)} == {BenchOutcome.INCONCLUSIVE}
    assert {goal.seen for goal in spans_goals(1, 1, 0)} == {"nothing recorded"}


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.PASS, BenchOutcome.OK), (Outcome.FAIL, BenchOutcome.MISSED),
        (Outcome.INCONCLUSIVE, BenchOutcome.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_relay_decision_keeps_its_outcome_and_sentence(outcome: Outcome, verdict: BenchOutcome) -> None:
    goal = judge_above_relay(Decision(outcome=outcome, why="because"))
    assert (goal.verdict, goal.seen + goal.why) == (verdict, "because")


def engine_end(**counted: int) -> EngineEnd:
    counters = dict.fromkeys(MUST_BE_ZERO, 0) | {"engine_orders_sent_total": 1000} | counted
    return EngineEnd(counters=counters, spans={}, next_sequence=5000)


@pytest.mark.parametrize("name", sorted(MUST_BE_ZERO))
def test_whatever_the_engine_lost_is_a_loss_of_the_run(name: str) -> None:
    assert ran(ENGINE, end=engine_end()).losses == ()
    assert ran(ENGINE, end=engine_end(**{name: 2})).losses == (f"2 {MUST_BE_ZERO[name]} at the engine",)


def test_ends_that_disagree_are_a_loss() -> None:
    behind = replace(engine_end(), next_sequence=4999)
    assert "4,999, the generator at 5,000" in ran(ENGINE, end=behind).losses[0]
    assert (
        "wrote 999 orders, 1,000 came in"
        in ran(ENGINE, end=engine_end(engine_orders_sent_total=999)).losses[0]
    )


def test_late_trigger_spoils_a_latency_and_not_a_rate() -> None:
    late = ran(ENGINE, end=engine_end())
    late = replace(late, run=replace(late.run, backlog_ns_max=5_000_000))
    assert "5.0 ms late" in late.losses[0]
    assert feed_losses(late) == ()
    assert feed_losses(replace(late, run=replace(late.run, receiver_drops=1)))


def test_turns_are_what_the_report_calls_abba() -> None:
    assert in_turn("a", "b", 3) == ["a", "b", "b", "a", "a", "b"]
    assert in_turn(RELAY, ENGINE, PAIRS_MIN) == [made.label for made in abba()]


def test_loss_that_only_the_engine_saw_makes_the_latency_inconclusive() -> None:
    def latency(**counted: int) -> Latency:
        runs = [
            Ran(run=made, raw=ran(ENGINE).raw, engine=engine_end() if made.label == ENGINE else None)
            for made in abba()
        ]
        runs[1] = replace(runs[1], engine=engine_end(**counted))
        return Latency(size=QUICK.latency, runs=tuple(runs), decision=span(), user_span=span())

    assert decision_of(latency()) == decide(abba())
    assert decision_of(latency()).outcome is Outcome.PASS
    spoilt = decision_of(latency(engine_feed_gaps_total=1))
    assert (spoilt.outcome, "run 2 (engine)" in spoilt.why) == (Outcome.INCONCLUSIVE, True)


def test_hop_is_the_median_difference_whichever_ran_first() -> None:
    runs = [ran(DIRECT, 10_000), ran(GATEWAY, 20_000), ran(GATEWAY, 30_000), ran(DIRECT, 10_000)]
    assert hop_ns(runs, 0.5) == pytest.approx(15_000, rel=0.002)
    assert hop_ns([], 0.5) == 0.0


def book_run(digest: str = "ab", equal: bool = True, rate: float = 1e7) -> dict[str, object]:
    stage = {"messages_per_s": rate, "stolen": 0.01}
    facts = {"digest": digest, "digest_equal": equal, "types": {"A": 100.0}, "live_orders": 9}
    return {**facts, **dict.fromkeys(STAGES, stage)}


def test_books_that_end_unlike_are_no_figure() -> None:
    size = BookSize(messages=1, live=1, symbols=1, runs=3)
    rates = rates_of([book_run(rate=r) for r in (3e6, 1e6, 2e6)], size, "recent-delete", prefetch=True)
    assert rates.stages["book"].median == 2e6
    for wrong in ([book_run(), book_run("cd")], [book_run(equal=False)]):
        with pytest.raises(BenchError, match="digests"):
            rates_of(wrong, size, "recent-delete", prefetch=True)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=50))
def test_curve_says_how_many_took_no_longer(values: list[int]) -> None:
    counts = {value: values.count(value) for value in values}
    for x, y in zip(*curve(counts), strict=True):
        no_longer = bisect.bisect_right(sorted(values), round(y * 1e3))
        assert 1 - 1 / x == pytest.approx(no_longer / len(values))
