"""What a user may get wrong before any engine runs: one sentence, and the code that it has in ci.md."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.hft_here import hft_here, one_sentence, own_state

pytestmark = needs.stacks()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_state(tmp_path, monkeypatch)


def test_an_unknown_project_names_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    said = one_sentence(capsys, "stack", "preview", "rehersal", "--site", "try")
    assert "rehersal: no folder with a Pulumi.yaml; projects here: " in said
    assert "rehearsal" in said


def test_an_engine_that_is_missing_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("stacks.runner.tools.find_tools.__defaults__", (None, tmp_path))
    assert "hint: make setup-stacks" in one_sentence(capsys, "stack", "up", "rehearsal", "--site", "try")


def test_an_engine_that_does_not_start_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pulumi", "pulumi-language-python"):
        (tmp_path / name).write_text("#!/bin/sh\necho nonsense\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said = one_sentence(capsys, "stack", "preview", "rehearsal", "--site", "try")
    assert f"{tmp_path}/pulumi does not tell its version" in said


@needs.stack_engine()
def test_settings_that_are_no_yaml_are_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text("config: [")
    said = one_sentence(
        capsys, "stack", "preview", "rehearsal", "--site", "try", "--settings", tmp_path / "s.yaml"
    )
    assert "s.yaml: not YAML" in said


def test_a_state_that_cannot_be_read_is_one_sentence(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    checkpoint = state / "stacks/try/backend/.pulumi/stacks/rehearsal/try.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{")
    (state / "stacks/try/rehearsal.last.json").write_text('{"state": "done", "verb": "up"}')
    said = hft_here(capsys, "stack", "outputs", "rehearsal", "--site", "try")
    assert (said.code, said.out) == (2, ""), said
    assert "try.json: is cut off or no state" in said.err
    assert "and the copy beside it is no help: there is no try.json.bak" in said.err


def test_an_empty_secret_is_not_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "token: standard input holds no value" in one_sentence(
        capsys, "stack", "secret", "rehearsal", "token", "--site", "try"
    )


def test_the_help_of_every_verb_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("preview", "up", "refresh", "destroy", "outputs", "recover", "secret", "inventory"):
        said = hft_here(capsys, "stack", verb, "--help")
        assert (said.code, f"hft stack {verb} " in said.out.partition("Examples:")[2]) == (0, True), verb
