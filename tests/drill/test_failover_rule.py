"""The rule of a gateway pair over millions of steps and a hundred thousand accepted orders."""

from __future__ import annotations

import json
import os

import pytest

from tests.support.commands import hft

pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]
SEED = int(os.environ.get("HFT_SEED", "1"))


def test_the_rule_is_kept_for_a_million_steps_and_a_hundred_thousand_accepted_orders() -> None:
    done = hft("failover", "model", "--steps", 3_000_000, "--seed", SEED, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["violation"]) == (0, None), done.stderr
    assert found["steps"] == 3_000_000 and found["accepted"] >= 100_000


@pytest.mark.parametrize("part", "abcd")
def test_without_a_part_of_the_rule_the_model_ends_with_5(part: str) -> None:
    done = hft("failover", "model", "--steps", 1_000_000, "--seed", SEED, "--without", part, "--json")
    assert done.returncode == 5, done.stderr
    assert "the venue accepted epoch" in json.loads(done.stdout)["violation"]["sentence"]
