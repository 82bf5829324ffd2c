"""The long crash soak of stacks on the real engine: three hundred broken runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import needs

pytestmark = [pytest.mark.drill, needs.stacks(), needs.stack_engine(), pytest.mark.timeout(14_400)]
pytest.importorskip("pulumi")

from tests.support.stacks.soak import campaign  # noqa: E402

ROUNDS = 300


def test_three_hundred_broken_runs_leave_what_was_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    seed = int(os.environ.get("HFT_SEED", "300"))
    tally = campaign(tmp_path, seed, int(os.environ.get("HFT_DRILL_RUNS", ROUNDS)))
    print(f"broken: {dict(tally.broken)}")
    assert not tally.faults, "\n".join(tally.faults)
