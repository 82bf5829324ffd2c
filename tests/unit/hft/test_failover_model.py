"""`hft failover model`: its figures, its exit codes."""

from __future__ import annotations

import json

import pytest

from hft.cli import run_guarded


def test_a_kept_rule_ends_with_0_and_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(["failover", "model", "--steps", "40000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["steps"], found["walks"], found["violation"]) == (40_000, 2, None)
    assert found["accepted"] > 500


def test_a_broken_rule_ends_with_5_and_names_the_walk_that_repeats_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_guarded(["failover", "model", "--steps", "400000", "--without", "d"]) == 5
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("broken in walk ") and "the venue accepted epoch" in said
