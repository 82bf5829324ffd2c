"""The artifact of the reference engine: whole, readable, the same from anywhere, and conforming."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.conformance.artifact import opened
from engine.conformance.suite import Options, judge
from engine.toolchain.build import ENGINE, BuildError, digest_of_a_second_build, make_artifact, run_step


def test_an_artifact_holds_the_files_that_its_manifest_lists(native: Path, tmp_path: Path) -> None:
    digest = make_artifact(native / "bin" / ENGINE, tmp_path / "artifact")
    with opened(tmp_path / "artifact") as found:
        assert found.digest == digest
        assert {file.path for file in found.manifest.files} == {ENGINE}


def test_a_failing_step_says_the_compilers_words() -> None:
    with pytest.raises(BuildError, match="no such target: hft-nothing"):
        run_step(["sh", "-c", "echo no such target: hft-nothing; exit 2"], lambda _: None)


def test_progress_is_told_by_tenths() -> None:
    told: list[str] = []
    lines = [f"[{percent:3}%] Building" for percent in range(0, 101, 3)]
    run_step(["printf", "%s\\n", *lines], told.append)
    assert [int(line.split()[0]) // 10 for line in told] == list(range(10))


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_two_builds_from_two_places_have_one_digest(native: Path, tmp_path: Path) -> None:
    first = make_artifact(native / "bin" / ENGINE, tmp_path / "first")
    assert digest_of_a_second_build(tmp_path, lambda _: None) == first


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_the_reference_engine_keeps_every_clause_of_its_level(native: Path, tmp_path: Path) -> None:
    make_artifact(native / "bin" / ENGINE, tmp_path / "artifact")
    with opened(tmp_path / "artifact") as found:
        report = judge(found, Options(jobs=2, patience_s=20.0, only=()), lambda _: None)
    assert [one.sentence for one in report.results if not one.passed] == []
    assert len(report.passed) >= 88
