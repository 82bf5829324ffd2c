"""The latency judge: what it passes, what it fails, what it refuses, and how often it is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release.judge import DESIGN, calibrate, judge
from release.windows import Restart, Window, bucket_of, highest_in, quantile_ns
from tests.support.latency_runs import Made, calibration, interleaved, outcomes, restart

RUNS = 120  # the drill has 1,000


def share(made: Made, outcome: str) -> float:
    return outcomes(made, runs=RUNS, seed=7)[outcome] / RUNS


def test_the_same_release_passes_and_never_fails() -> None:
    assert share(Made(), "PASS") >= 0.90 and share(Made(), "FAIL") <= 0.02


def test_a_p99_that_is_slower_by_the_margin_hardly_ever_passes() -> None:
    assert share(Made(slower=0.05), "PASS") <= 0.10


def test_a_p99_that_is_slower_by_twice_the_margin_fails() -> None:
    assert share(Made(slower=0.10), "FAIL") >= 0.90


def test_a_few_windows_that_explode_fail_by_their_count_though_the_mean_hardly_moves() -> None:
    assert share(Made(exploding=0.05), "FAIL") >= 0.85


def test_margins_inside_the_spread_of_restarts_are_refused() -> None:
    runs = interleaved(5)
    refused = judge(runs, calibration(0.03))
    assert (refused.outcome, refused.code) == ("REFUSED", "spread") and "3.0%" in refused.reason
    assert judge(runs, calibration(0.015)).outcome != "REFUSED"


def test_histograms_of_a_slow_candidate_fail_at_the_first_look_that_can_tell() -> None:
    found = judge(interleaved(5, slower=0.5), calibration(0.015))
    assert (found.outcome, found.code, found.pairs) == ("FAIL", "slower", 5)
    assert all(one.lower < one.estimate < one.upper for one in found.bounds)
    assert found.bounds[0].estimate == pytest.approx(0.5, rel=0.05)


def test_too_few_pairs_are_extended_and_the_last_look_holds() -> None:
    assert judge(interleaved(4), calibration(0.015)).code == "extend"
    noisy = replace(DESIGN, margins={"p50": 1e-6, "p99": 1e-6, "p99.9": 1e-6}, pairs_at=(5,), alphas=(0.05,))
    held = judge(interleaved(5), calibration(1e-9), noisy)
    assert (held.outcome, held.code) == ("INCONCLUSIVE", "hold")


def missing_message(runs: list[Restart]) -> list[Restart]:
    first = runs[0].windows[0]
    return [
        replace(runs[0], windows=(replace(first, intended=first.intended + 1), *runs[0].windows[1:])),
        *runs[1:],
    ]


def test_missing_data_fail() -> None:
    runs = interleaved(5)
    short = [replace(runs[0], windows=runs[0].windows[:-1]), *runs[1:]]
    empty = [replace(runs[0], windows=(Window(intended=0, counts={}), *runs[0].windows[1:])), *runs[1:]]
    for wrong in (short, empty, missing_message(runs)):
        assert judge(wrong, calibration(0.015)).code == "missing_data"
    assert judge(runs[:-1], calibration(0.015)).code == "not_interleaved"
    assert judge([], calibration(0.015)).code == "not_interleaved"
    assert judge(sorted(runs, key=lambda one: one.arm), calibration(0.015)).code == "not_interleaved"
    other = [replace(runs[0], release="sha256:x"), *runs[1:]]
    assert judge(other, calibration(0.015)).code == "releases"


def test_a_calibration_is_made_of_ten_restarts_of_one_release() -> None:
    found = calibrate([restart("baseline", seed=at) for at in range(10)])
    assert found.restarts == 10 and 0 < found.spread["p50"] < 0.02
    with pytest.raises(ValueError, match="9 restarts of 1"):
        calibrate([restart("baseline", seed=at) for at in range(9)])
    with pytest.raises(ValueError, match="of 2 releases"):
        calibrate(interleaved(5))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 257, 1_000, 65_535, 123_456_789, 2**40 + 7])
def test_a_bucket_holds_its_values_within_a_hundredth(value: int) -> None:
    bucket = bucket_of(value)
    assert value <= highest_in(bucket) <= value * 1.01 + 1
    assert bucket_of(highest_in(bucket)) == bucket != bucket_of(highest_in(bucket) + 1)


def test_a_quantile_is_the_value_that_its_share_does_not_exceed() -> None:
    window = Window(intended=100, counts={1: 50, 2: 49, 3: 1})
    assert [quantile_ns(window, share) for share in (0.5, 0.51, 0.99, 0.999)] == [1, 2, 2, 3]
