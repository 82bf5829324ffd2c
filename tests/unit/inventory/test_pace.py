"""Deadlines of the lab from its measured speed: never shorter than the reference's, longer in proportion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.model import TRIALS
from inventory.pace import BOOT_S, PATIENCE_MAX, ROUND_TRIP_S, START_S, STATUS_S_MIN, deadlines_of
from lab.speed import Speed


def speed(round_trip_s: float, start_s: float, boot_s: float | None) -> Speed:
    return Speed(round_trip_s=round_trip_s, start_s=start_s, boot_s=boot_s, at="2026-11-29T05:00:00+00:00")


@pytest.mark.parametrize(
    ("measured", "status_s", "patience"),
    [
        (None, 15.0, 1.0),
        (speed(0.5, 1.0, 30.0), 15.0, 1.0),
        (speed(1.5, 2.0, None), 15.0, 1.0),
        (speed(2 * ROUND_TRIP_S, START_S, BOOT_S), 34.0, 2.0),
        (speed(ROUND_TRIP_S, 3 * START_S, BOOT_S), 17.0, 3.0),
        (speed(ROUND_TRIP_S, START_S, 4 * BOOT_S), 17.0, 4.0),
        (speed(90.0, 200.0, 4000.0), 600.0, PATIENCE_MAX),
    ],
)
def test_the_slowest_figure_counts(measured: Speed | None, status_s: float, patience: float) -> None:
    found = deadlines_of(measured)
    assert (found.status_s, found.patience) == (status_s, patience)
    assert f"status {found.status_s:g} s" in found.sentence()


@given(*(st.floats(0.01, 5000) for _ in range(3)))
def test_no_deadline_is_shorter_than_the_reference_and_status_bears_two_bad_looks(
    round_trip_s: float, start_s: float, boot_s: float
) -> None:
    found = deadlines_of(speed(round_trip_s, start_s, boot_s))
    assert found.patience >= 1
    assert found.status_s >= min(600, max(STATUS_S_MIN, 2 * round_trip_s))
    trial = TRIALS["lab-vm"]
    longer = trial.stretched(found.patience)
    assert longer.trial_s >= trial.trial_s
    assert longer.watchdog_s > longer.trial_s, "the watchdog outlives the trial"
    assert longer.confirm_gap_s == trial.confirm_gap_s
