"""Hostile input, by a seed: nothing is executed or written, nothing ends a run, no other host is touched.

A share of it here; the whole with `make drill`. docs/hostile-input.md has the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.checkout import ROOT

PEAK_MIB = 200


def campaign(share: float) -> dict[str, Any]:
    """In a process of its own, whose memory is counted."""
    argv = [sys.executable, "-m", "tests.support.campaign", str(share)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def judge(found: dict[str, Any], least: dict[str, int]) -> None:
    for name, count in least.items():
        tally = found[name]
        assert tally["tried"] >= count, name
        assert tally["taken"] > 0, "a campaign in which nothing is taken proves nothing"
        assert tally.get("unhandled", 0) == 0, found["strangers"]
        assert tally.get("other hosts", 0) == 0
        assert tally.get("changed", 0) == 0, "a word came out of the shell as another"
    assert found["executed or written"] == 0
    assert found["peak_mib"] <= PEAK_MIB


def test_a_share_of_the_campaign() -> None:
    judge(campaign(0.03), {"fields": 100, "answers": 100, "documents": 100})


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_the_whole_campaign() -> None:
    judge(campaign(1), {"fields": 5000, "answers": 5000, "documents": 2000})
