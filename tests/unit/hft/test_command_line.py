"""What people type who do not know the options yet, and answers that are no interrupt."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from hft import about
from hft.changing import ask
from hft.cli import VERBS, run_guarded
from hft.errors import Exit, HftError
from tests.support.checkout import ROOT

VERSION = version("hft-infra")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run_guarded(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("words", [("version",), ("-V",), ("--version",)])
def test_the_version_is_where_people_look_for_it(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(about, "commit", lambda: "commit of the test")
    code, out, _ = run(capsys, *words)
    first, *more = out.splitlines()
    assert (code, first) == (0, f"hft, version {VERSION}")
    said = dict(one.split(": ", 1) for one in more)
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?|commit of the test", said["commit"]), said
    assert re.fullmatch(re.escape(VERSION) + r"\+[0-9a-f]{12}", said["agent"]), said
    assert "plan 1" in said["schemas"]
    assert said["from"] == str(ROOT)


@pytest.mark.parametrize(
    ("words", "shows"),
    [
        (("help",), "Commands"),
        (("help", "status"), "Where every host stands"),
        (("help", "host", "enrol"), "--fingerprint"),
        (("-h",), "Commands"),
    ],
)
def test_help_is_a_command(words: tuple[str, ...], shows: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *words)
    assert (code, shows in out) == (0, True), err


@pytest.mark.parametrize("verb", [verb for verb in VERBS if len(verb) > 4])
def test_a_mistyped_command_names_the_nearest(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, verb[:-1] + "z")
    assert (code, f"did you mean {verb!r}" in err) == (Exit.BAD_INPUT, True), err


def test_the_next_command_after_init_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my site's"
    code, out, _ = run(capsys, "init", str(folder))
    assert code == 0
    assert shlex.split(out.split("look at it: ")[1])[-2:] == ["--inventory", f"{folder}/inventory.py"]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/nonexistent.json", "nul\x00", ""])
def test_what_is_no_snapshot_is_named_and_ends(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "plan", "--snapshot", path)
    assert (code, "Traceback" in err) == (Exit.BAD_INPUT, False)
    assert path.rstrip("\x00") in err


@pytest.mark.parametrize("option", ["--tree", "--snapshot"])
def test_an_empty_path_is_not_the_current_directory(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "plan", option, "")
    assert code == Exit.BAD_INPUT
    assert ": holds neither" not in err


def test_a_byte_order_mark_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = {"name": "e1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a"}
    site = {"name": "s", "hosts": [host]}
    path = tmp_path / "site.json"
    path.write_text(json.dumps(site), encoding="utf-8-sig")
    assert run(capsys, "host", "list", "--inventory", str(path))[0] == 0


class Answer(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "no\n", "yess\n"])
def test_no_is_an_answer_and_no_interrupt(
    answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Answer(answer))
    with pytest.raises(HftError, match="not confirmed, so nothing was changed") as caught:
        ask("Change 2 hosts?", yes=False, as_json=False)
    assert caught.value.exit_code is Exit.PENDING
    assert "Change 2 hosts? [y/N]" in capsys.readouterr().out


def test_yes_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Answer("Y\n"))
    ask("Change 2 hosts?", yes=False, as_json=False)
