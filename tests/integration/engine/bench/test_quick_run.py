"""The whole benchmark in its quick form with the real programs, judged by counts alone: nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.engine.sizes import QUICK
from tests.support.checkout import ROOT

# A trigger that left late is about time, which nobody may judge beside other tests.
LATE = "late"


def lost(run: dict[str, Any]) -> list[str]:
    return [loss for loss in run["losses"] if not loss.endswith(LATE)]


@pytest.mark.engine
def test_nothing_is_lost_every_trigger_is_answered_and_the_books_are_equal(
    native: Path, tmp_path: Path
) -> None:
    argv = [sys.executable, "-m", "bench.engine", "--quick", "--json", "--gate"]
    done = subprocess.run(
        [*argv, "--build", str(native), "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=280, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert {rates["digest_equal"] for rates in document["books"]["rates"]} == {True}
    assert {one["name"] for one in document["books"]["beside"]} == {"itchfeed", "meatpy"}
    assert [row["open"] for row in document["risk"]["rows"]] == [0, 1_000, 10_000]
    latency, hop, sustained = document["latency"], document["hop"], document["sustained"]
    assert [run["label"] for run in latency["runs"]] == ["relay", "engine", "engine", "relay"]
    runs = [*latency["runs"], *hop["runs"], sustained["run"]]
    assert [lost(run) for run in runs] == [[]] * len(runs)
    for run in runs:
        orders, size = run["generator"]["orders"], run["generator"]["plan"]
        assert orders["received"] == orders["answered"] == size["triggers"]
        assert orders["matched"] == size["triggers"] - size["warmup"]
        if run["engine"] is not None:
            assert run["engine"]["engine_orders_sent_total"] == size["triggers"]
            assert run["engine"]["engine_feed_messages_total"] == run["generator"]["next_sequence"] - 1
    counted = QUICK.latency.triggers - QUICK.latency.warmup
    assert latency["pooled_ns"]["engine"]["count"] == QUICK.pairs * counted
    assert latency["decision_ns"]["count"] >= QUICK.pairs * counted
    assert hop["gateway"][0]["to_venue"]["count"] == QUICK.latency.triggers
    assert {goal["verdict"] for goal in document["goals"]} == {"INCONCLUSIVE"}, "a quick run proves no time"
    assert {path.suffix for path in tmp_path.iterdir()} >= {".json", ".hdr"}
