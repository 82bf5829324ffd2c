"""How often the latency judge is wrong, over a thousand comparisons of each kind."""

from __future__ import annotations

import os

import pytest

from tests.support.latency_runs import Made, outcomes

pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]
SEED = int(os.environ.get("HFT_SEED", "1"))
RUNS = 1_000


@pytest.mark.parametrize(
    ("made", "outcome", "least", "most"),
    [
        (Made(), "PASS", 0.95, 1.0),
        (Made(), "FAIL", 0.0, 0.01),
        (Made(slower=0.05), "PASS", 0.0, 0.065),
        (Made(slower=0.10), "FAIL", 0.95, 1.0),
        (Made(exploding=0.05), "FAIL", 0.90, 1.0),
    ],
    ids=["same passes", "same fails", "at the margin passes", "twice the margin fails", "explodes fails"],
)
def test_of_a_thousand_comparisons_as_many_end_so(
    made: Made, outcome: str, least: float, most: float
) -> None:
    found = outcomes(made, runs=RUNS, seed=SEED)[outcome] / RUNS
    print(f"{made}: {outcome} {found:.1%}")
    assert least <= found <= most
