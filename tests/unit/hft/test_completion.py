"""A shell completes verbs, options, the hosts of the configured site and the words of a limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from hft.cli import cli
from hft.verbs.completion import SHELLS, VARIABLE
from tests.support.hft_here import hft_here


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site in the working directory, named by its hft.toml."""
    hosts = [
        {"name": name, "address": f"192.0.2.{n}", "role": role, "failure_domain": f"rack-{n}"}
        for n, (name, role) in enumerate(
            (("engine-1", "engine"), ("engine-2", "engine"), ("ops-1", "ops")), 1
        )
    ]
    (tmp_path / "site.json").write_text(json.dumps({"name": "s", "hosts": hosts}))
    (tmp_path / "hft.toml").write_text('inventory = "site.json"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def completed(*words: str) -> list[str]:
    *before, begun = words
    shell = ShellComplete(cli, {}, "hft", VARIABLE)
    return [item.value for item in shell.get_completions(before, begun)]


def test_verbs_and_options_are_completed(site: Path) -> None:
    assert completed("hist") == ["history"]
    assert "--require-all" in completed("apply", "--req")


@pytest.mark.parametrize(
    "words",
    [
        *(
            ("status",),
            ("revert",),
            ("recover",),
            ("remove",),
            ("history",),
            ("snapshot",),
            ("plan", "--host"),
        ),
        *(("host", "enrol"), ("host", "acknowledge"), ("status", "ops-1"), ("diff",)),
    ],
    ids=" ".join,
)
def test_hosts_are_completed(words: tuple[str, ...], site: Path) -> None:
    assert completed(*words, "eng") == ["engine-1", "engine-2"]
    assert completed(*words, "zzz") == []


def test_the_last_word_of_a_limit_is_completed(site: Path) -> None:
    assert completed("apply", "--limit", "ops-1,!eng") == ["ops-1,!engine-1", "ops-1,!engine-2"]
    assert completed("check", "--limit", "role:") == ["role:engine", "role:ops"]
    assert completed("apply", "--inventory", str(site / "gone.json"), "--limit", "e") == []


def test_a_site_that_cannot_be_read_completes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "site.json").write_text("{")
    assert completed("status", "e") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = hft_here(capsys, "completion", shell)
    assert (said.code, VARIABLE in said.out, f"{shell}_complete" in said.out) == (0, True, True)
