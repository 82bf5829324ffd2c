"""Wrong files, trees and names given to `hft plan` and `hft snapshot`: one sentence and exit code 2."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hft.cli import run_guarded
from tests.support.hft_here import one_sentence

CPU = "/sys/devices/system/cpu"


def document(**files: str | None) -> str:
    return json.dumps({"schema": 1, "files": {f"{CPU}/{k}": v for k, v in files.items()}, "links": {}})


SNAPSHOTS = {
    "empty": ("", "not JSON"),
    "text": ("hello", "not JSON"),
    "list": ("[]", "not of schema 1"),
    "old schema": ('{"schema":0,"files":{},"links":{}}', "not of schema 1"),
    "a plan instead": ('{"schema":1,"plan_hash":"x"}', "needs the objects"),
    "an inventory instead": ('{"name":"rack","hosts":[]}', "not of schema 1"),
    "no cpus": (document(), "CPU"),
    "one cpu": (document(online="0\n"), "too_few_cpus"),
    "two cpus": (document(online="0-1\n"), "too_few_cpus"),
    "cpus nonsense": (document(online="some\n"), "CPU"),
    "cpus backwards": (document(online="3-0\n"), "CPU"),
    "cpus negative": (document(online="-1\n"), "CPU"),
    "cpus without end": (document(online="0-4294967295\n"), "CPU"),
}


@pytest.mark.parametrize(("text", "says"), SNAPSHOTS.values(), ids=SNAPSHOTS.keys())
def test_wrong_snapshot_file_gives_one_sentence_and_exit_code_2(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    assert says in one_sentence(capsys, "plan", "--snapshot", path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan", "--snapshot", "nosuch.json"), "nosuch.json"),
        (("plan", "--snapshot", "."), "directory|cannot read"),
        (("plan", "--tree", "nosuch"), "nosuch"),
        (("plan", "--tree", "file"), "file"),
        (("plan", "--tree", "empty"), "CPU|empty"),
        (("snapshot", "--tree", "nosuch"), "nosuch"),
        (("plan", "--tree", "tree", "--profile", "engin"), "engin.*engine"),
        (("plan", "--host", "engine-9", "--inventory", "nosuch.py"), "no such file"),
    ],
)
def test_wrong_source_gives_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "tree/sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "tree/sys/devices/system/cpu/online").write_text("0-7\n")
    monkeypatch.chdir(tmp_path)
    assert re.search(says, one_sentence(capsys, *arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--nosuch"),
        ("plan", "extra", "words"),
        ("nosuch",),
        ("host", "enrol"),
        ("status", "--deadline", "x"),
    ],
)
def test_wrong_option_is_a_usage_message_with_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_guarded(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert (out, "Traceback" in err) == ("", False)
    assert err.startswith("hft: ")
    assert "usage: hft" in err
