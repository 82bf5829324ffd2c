"""What counts as proof: percentiles, HDR V2, and each branch of the decision with its sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.engine.load_report import (
    ENGINE,
    PAIRS_MIN,
    RELAY,
    Decision,
    Histogram,
    Outcome,
    ReportError,
    Run,
    decide,
    hdr_v2,
    main,
    parse_run,
    pool,
    same_against_same,
    spread,
)
from tests.support.engine.load_runs import abba, histogram, run


def spoilt(place: int, **change: object) -> Decision:
    runs = abba()
    runs[place] = replace(runs[place], **change)  # type: ignore[arg-type]
    return decide(runs)


def test_engine_within_the_gate_passes_and_one_bucket_beyond_fails() -> None:
    assert decide(abba(14_000)).outcome is Outcome.PASS
    beyond = decide(abba(14_016))
    assert beyond.outcome is Outcome.FAIL
    assert "2.02 us above" in beyond.why or "2.01 us above" in beyond.why


def test_faster_than_the_relay_passes() -> None:
    assert decide(abba(11_000)).outcome is Outcome.PASS


def test_nine_pairs_prove_nothing() -> None:
    decision = decide(abba(pairs=PAIRS_MIN - 1))
    assert (decision.outcome, "9 pairs" in decision.why) == (Outcome.INCONCLUSIVE, True)


def test_runs_out_of_order_prove_nothing() -> None:
    runs = abba()
    for wrong in (
        runs[1:] + runs[:1],
        [runs[0], runs[1]] * PAIRS_MIN,
        runs[:-1],
        sorted(runs, key=lambda r: r.label),
    ):
        assert decide(wrong).outcome is Outcome.INCONCLUSIVE
        assert "relay, engine, engine, relay" in decide(wrong).why


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"missing": 1}, "1 orders missing"),
        ({"unmatched": 2}, "without a trigger"),
        ({"repeated": 1}, "answered twice"),
        ({"rerequests": 3}, "3 re-requests"),
        ({"send_failed": 1}, "not sent"),
        ({"receiver_drops": 1}, "dropped at the receiver"),
        ({"receiver_drops": None}, "drops unknown"),
        ({"peer_lost": True}, "connection lost"),
        ({"backlog_ns_max": 1_000_000}, "1.0 ms late"),
        ({"latency": Histogram(counts={}, max_ns=0)}, "nothing measured"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 19])
def test_run_that_lost_anything_or_ran_late_makes_it_inconclusive(
    change: dict[str, object], words: str, place: int
) -> None:
    decision = spoilt(place, **change)
    assert decision.outcome is Outcome.INCONCLUSIVE
    assert words in decision.why and f"run {place + 1} " in decision.why


def test_backlog_just_below_a_millisecond_counts() -> None:
    assert spoilt(3, backlog_ns_max=999_999).outcome is Outcome.PASS


def test_busy_machine_makes_it_inconclusive_and_two_percent_does_not() -> None:
    assert spoilt(4, others_cpu_share=0.02).outcome is Outcome.PASS
    decision = spoilt(4, others_cpu_share=0.021)
    assert (decision.outcome, "2.1%" in decision.why) == (Outcome.INCONCLUSIVE, True)


def test_relay_that_differs_from_itself_makes_even_a_bad_engine_inconclusive() -> None:
    slow_tail = run(RELAY, 12_000, tail_ns=60_000)
    runs = [slow_tail if r.label == RELAY and place % 4 == 3 else r for place, r in enumerate(abba(90_000))]
    decision = decide(runs)
    assert decision.outcome is Outcome.INCONCLUSIVE
    assert "relay against relay differs by 50%" in decision.why
    assert same_against_same([r for r in runs if r.label == RELAY]) == pytest.approx(0.5, abs=0.01)


def test_one_outlying_pair_does_not_decide() -> None:
    runs = abba()
    runs[1] = run(ENGINE, 60_000)
    assert decide(runs).outcome is Outcome.PASS


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 3_600_000_000_000), min_size=1, max_size=300))
def test_hdr_v2_decodes_to_the_same_counts_and_percentiles(values: list[int]) -> None:
    ours = histogram(values)
    theirs = HdrHistogram.decode(hdr_v2(ours))
    assert theirs.get_total_count() == len(values)
    assert {i: c for i, c in enumerate(theirs.counts) if c} == dict(ours.counts)
    for share in (0.5, 0.9, 0.99, 1.0):
        exact = sorted(values)[max(1, round(share * len(values))) - 1]
        assert exact <= ours.at_share(share) <= exact + exact // 1000 + 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1), st.lists(st.integers(0, 10**9), min_size=1))
def test_pooling_is_counting_together(first: list[int], second: list[int]) -> None:
    assert pool([histogram(first), histogram(second)]) == histogram(first + second)
    assert spread(histogram(first), histogram(first)) == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"label":"x"}', "null"])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ReportError):
        parse_run(text)


def test_verdicts_have_their_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(number: int, made: Run) -> str:
        latency = {
            "unit": "ns", "lowest": 1, "significant_digits": 3, "total": made.latency.total,
            "max": made.latency.max_ns, "counts": list(made.latency.counts.items()),
        }  # fmt: skip
        raw = {
            "label": made.label, "latency_ns": latency, "backlog_ns": {"max": made.backlog_ns_max},
            "orders": {"missing": 0, "unmatched": 0, "repeated": 0, "matched": 1000}, "rerequests": 0,
            "sent": {"failed": 0}, "receiver_drops": 0, "peer_lost": False, "others_cpu_share": 0.0,
            "duration_ns": 10**9,
        }  # fmt: skip
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(raw))
        return str(path)

    for engine_ns, pairs, code in ((13_000, 10, 0), (20_000, 10, 1), (13_000, 2, 75)):
        paths = [write(n, made) for n, made in enumerate(abba(engine_ns, pairs=pairs))]
        assert main([*paths, "--hdr", str(tmp_path)]) == code
    assert "INCONCLUSIVE: 2 pairs" in capsys.readouterr().out
    assert HdrHistogram.decode((tmp_path / "relay.hdr").read_bytes()).get_total_count() == 2000
    assert main([str(tmp_path / "absent.json")]) == 64
