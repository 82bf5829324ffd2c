"""The suite's own promises: wrong artifacts get a sentence, nothing is skipped, nothing passes unproven."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.conformance import suite
from engine.conformance.artifact import opened
from engine.conformance.bench import Bench
from engine.conformance.case import Case
from engine.conformance.cases import ALL
from engine.conformance.errors import ArtifactError, Broken
from engine.conformance.suite import Options, judge
from engine.contract.levels import Level
from engine.independent.package import PROGRAM, write
from hft.cli import run_guarded

pytestmark = pytest.mark.long

QUICK = ("manifest.printed", "version.printed")


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    document = json.loads((path / "engine.json").read_text())
    change(document)
    (path / "engine.json").write_text(json.dumps(document))


WRONG: dict[str, Callable[[Path], object]] = {
    "no engine.json in it": lambda path: (path / "engine.json").unlink(),
    "Expecting": lambda path: (path / "engine.json").write_text("{"),
    "does not have the SHA-256": lambda path: (path / PROGRAM).write_bytes(b"other"),
    "not a regular file": lambda path: (path / PROGRAM).unlink(),
    "pre_deploy_limits: Field required": lambda path: edit(path, lambda d: d.pop("pre_deploy_limits")),
    "no clauses yet": lambda path: edit(path, lambda d: d.update(level="replicated")),
    "is not readable by": lambda path: edit(path, lambda d: d.update(contract="2.0.0")),
    "has no canonical form": lambda path: edit(path, lambda d: d.update(x_ratio=0.5)),
    "is not installed on this machine": lambda path: edit(
        path, lambda d: d.update(exec={"interpreter": ["no-such-interpreter"], "program": PROGRAM})
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_wrong_artifact_is_one_sentence_and_exit_2(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    WRONG[words](write(tmp_path))
    assert run_guarded(["engine", "conformance", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert not said.out
    lines = [line for line in said.err.splitlines() if line.startswith("hft: ")]
    assert len(lines) == 1
    assert words in lines[0]


@pytest.mark.parametrize("name", ["missing", "text", "empty.tar"])
def test_what_is_no_artifact_at_all_is_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("hello")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    assert run_guarded(["engine", "conformance", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"hft: {tmp_path / name}: ")
    assert said.count("\n") == 1


def test_tar_is_judged_like_its_directory(tmp_path: Path) -> None:
    write(tmp_path / "stub")
    with tarfile.open(tmp_path / "stub.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "stub", arcname="stub")
    with opened(tmp_path / "stub") as one, opened(tmp_path / "stub.tar.gz") as other:
        assert one.digest == other.digest
        assert judge(other, Options(only=QUICK), lambda _: None).passed == QUICK


def test_tar_cannot_write_outside(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as packed:
        packed.addfile(tarfile.TarInfo("../escaped"))
    with pytest.raises(ArtifactError), opened(path):
        pass
    assert not (tmp_path / "escaped").exists()


def test_clause_without_a_case_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "ALL", tuple(case for case in ALL if case.clause != QUICK[0]))
    with opened(write(tmp_path)) as artifact:
        report = judge(artifact, Options(only=QUICK), lambda _: None)
    assert (report.failed, report.passed) == ((QUICK[0],), (QUICK[1],))


def test_clause_fails_when_one_of_its_cases_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(bench: Bench) -> None:
        raise KeyError("state")

    extra = Case(clause=QUICK[0], name="odd", level=Level.CORE, play=odd)
    monkeypatch.setattr(suite, "ALL", (*ALL, extra))
    with opened(write(tmp_path)) as artifact:
        report = judge(artifact, Options(only=QUICK), lambda _: None)
    assert report.failed == (QUICK[0],)


def test_case_that_fails_only_beside_others_passes_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played: list[str] = []

    def late_once(bench: Bench) -> None:
        played.append("late")
        if len(played) == 1:
            raise Broken("late")

    extra = Case(clause=QUICK[0], name="late once", level=Level.CORE, play=late_once)
    monkeypatch.setattr(suite, "ALL", (*ALL, extra))
    only = [word for clause in QUICK for word in ("--only", clause)]
    assert run_guarded(["engine", "conformance", str(write(tmp_path)), *only]) == 0
    assert "late once: passed alone; beside other cases: late" in capsys.readouterr().out
    assert run_guarded(["engine", "conformance", str(tmp_path), *only, "--jobs", "1"]) == 0
    assert played == ["late"] * 3


def test_unknown_clause_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    assert run_guarded(["engine", "conformance", str(tmp_path), "--only", "kill.everything"]) == 2
    assert "'kill.everything' is not a clause" in capsys.readouterr().err


def test_fault_of_the_suite_itself_is_not_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(bench: Bench) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(suite, "ALL", (Case(clause=QUICK[0], name="dies", level=Level.CORE, play=dies),))
    with opened(write(tmp_path)) as artifact, pytest.raises(ZeroDivisionError):
        judge(artifact, Options(only=QUICK[:1]), lambda _: None)


def test_output_ends_with_the_count_and_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = [word for clause in QUICK for word in ("--only", clause)]
    assert run_guarded(["engine", "conformance", str(write(tmp_path)), *only]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"


def test_broken_clause_exits_5_and_is_in_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = [word for clause in QUICK for word in ("--only", clause)]
    mutant = write(tmp_path, mutant=QUICK[0])
    assert run_guarded(["engine", "conformance", str(mutant), "--json", *only]) == 5
    document = json.loads(capsys.readouterr().out)
    assert (document["passed"], document["failed"], document["exit_code"]) == (1, 1, 5)
    failed = [clause for clause in document["clauses"] if not clause["passed"]]
    assert [clause["id"] for clause in failed] == [QUICK[0]]
    assert failed[0]["cases"][0]["detail"]


def test_engine_verb_loads_the_suite_only_when_it_runs() -> None:
    import subprocess
    import sys

    code = "import sys, hft.verbs.engine; sys.exit(any(name.startswith('engine.') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
