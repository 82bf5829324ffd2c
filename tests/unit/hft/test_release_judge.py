"""`hft release`: files of windows in, an outcome and its exit code out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from release.windows import Restart
from tests.support.hft_here import hft_here, one_sentence
from tests.support.latency_runs import interleaved, restart


def lines(restarts: Sequence[Restart]) -> list[dict[str, Any]]:
    return [
        {
            "schema": 1, "arm": one.arm, "release": one.release,
            "windows": [
                {"intended": window.intended, "counts": {f"{key}": n for key, n in window.counts.items()}}
                for window in one.windows
            ],
        }
        for one in restarts
    ]  # fmt: skip


def written(path: Path, documents: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    return path


@pytest.fixture
def spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What `calibrate` prints, kept."""
    runs = written(tmp_path / "aa.jsonl", lines([restart("baseline", seed=at) for at in range(10)]))
    said = hft_here(capsys, "release", "calibrate", runs)
    assert said.code == 0
    kept = tmp_path / "spread.json"
    kept.write_text(said.out)
    return kept


@pytest.mark.parametrize(
    ("slower", "pairs", "code", "outcome"),
    [(0.5, 5, 5, "FAIL"), (0.0, 4, 4, "INCONCLUSIVE"), (0.0, 15, 0, "PASS")],
)
def test_the_outcome_is_the_exit_code(  # noqa: PLR0917  # what pytest hands over
    slower: float, pairs: int, code: int, outcome: str, spread: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    runs = written(tmp_path / "runs.jsonl", lines(interleaved(pairs, slower=slower)))
    said = hft_here(capsys, "release", "judge", runs, "--calibration", spread, "--json")
    assert (said.code, json.loads(said.out)["outcome"]) == (code, outcome)
    shown = hft_here(capsys, "release", "judge", runs, "--calibration", spread)
    assert shown.out.startswith(outcome)


def test_a_wide_spread_is_refused_with_2(
    spread: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = json.loads(spread.read_text())
    wide["spread"]["p50"] = 0.03
    spread.write_text(json.dumps(wide))
    runs = written(tmp_path / "runs.jsonl", lines(interleaved(5)))
    said = hft_here(capsys, "release", "judge", runs, "--calibration", spread)
    assert said.code == 2 and said.out.startswith("REFUSED")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arm": "third"}, "expected baseline or candidate"),
        ({"schema": 2}, "schema"),
        ({"windows": [{"intended": 1, "counts": {"-1": 1}}]}, "a bucket is a number"),
        ({"windows": [{"intended": 1, "counts": {"1": "x"}}]}, "expected a whole number"),
        ({"extra": 1}, "1 unknown key"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(
    change: dict[str, Any], words: str, spread: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = lines([restart("baseline", windows=1)])[0]
    runs = written(tmp_path / "runs.jsonl", [document, document | change])
    said = one_sentence(capsys, "release", "judge", runs, "--calibration", spread)
    assert "line 2" in said and words in said


def test_files_that_are_not_there_are_named(
    spread: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    assert "gone: cannot be read" in one_sentence(capsys, "release", "judge", gone, "--calibration", spread)
    runs = written(tmp_path / "runs.jsonl", lines(interleaved(5)))
    assert "gone: cannot be read" in one_sentence(capsys, "release", "judge", runs, "--calibration", gone)
    assert "9 restarts" in one_sentence(
        capsys, "release", "calibrate", written(gone, lines(interleaved(5))[:9])
    )
