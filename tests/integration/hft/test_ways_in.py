"""One way to a host for every verb, over a real sshd: keys as operators have them, hosts that run nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hft.conftest import HERE, LOOKS, pinned

pytestmark = pytest.mark.long

OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"


@pytest.mark.parametrize("verb", LOOKS)
@pytest.mark.parametrize("words", ["sudo: a password is required", "Your password is too old.\nNo terminal."])
def test_a_host_that_runs_nothing_says_so_in_its_own_words_whatever_asks(
    verb: str, words: str, hft: Callable[..., Any], loopback: Any
) -> None:
    host = pinned(loopback)
    (host.folder / "refuses").write_text(words + "\n")
    name, *more = LOOKS[verb]
    said = hft(name, "--inventory", host.inventory, *more)
    assert said.code == 7, said
    last = words.splitlines()[-1]
    assert f"e1: cannot run commands: {last} (exit 1)" in said.out + said.err
    assert "machine" not in said.out + said.err.replace("machine-id", ""), (
        "it is not taken for another machine"
    )


def test_what_a_login_prints_first_is_not_the_answer(hft: Callable[..., Any], loopback: Any) -> None:
    host = pinned(loopback)
    (host.folder / "motd").write_text("Welcome\nmachine_id 1\n\x1b[31mhft-capture\n")
    assert hft("status", "--inventory", host.inventory).code == 0
    said = hft("snapshot", "e1", "--inventory", host.inventory)
    assert said.code == 0, said.err
    assert json.loads(said.out)["files"]["/etc/machine-id"].strip() == HERE
    check = hft("check", "--config-only", "--inventory", host.inventory)
    assert "no_plan" in check.out, "its facts were read"


@pytest.mark.parametrize("name", ["100%", "%h", "a b", "it's", "$(id)", "%d%u"])
def test_a_key_s_path_is_a_path(name: str, hft: Callable[..., Any], loopback: Any, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(loopback.folder / "user", folder / "key")
    (folder / "key").chmod(0o600)
    host = pinned(loopback, ssh_key=str(folder / "key"))
    assert hft("status", "--inventory", host.inventory).code == 0


def test_a_state_directory_s_path_is_a_path(
    hft: Callable[..., Any], loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "100% of it"))
    assert hft("status", "--inventory", pinned(loopback).inventory).code == 0


def test_any_of_the_pinned_host_keys_will_do(hft: Callable[..., Any], loopback: Any) -> None:
    host = pinned(loopback, OTHER)
    for words in (("status",), ("snapshot", "e1"), ("check", "--config-only")):
        said = hft(words[0], "--inventory", host.inventory, *words[1:])
        assert "other than the enrolled one" not in said.out + said.err


def test_a_home_that_cannot_be_written_stops_no_look(
    hft: Callable[..., Any], loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/x")
    assert hft("status", "--inventory", pinned(loopback).inventory).code == 0


def test_without_ssh_the_controller_says_so(
    hft: Callable[..., Any], loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = hft("plan", "--host", "e1", "--inventory", pinned(loopback).inventory)
    assert (said.code, "ssh cannot be started here" in said.err) == (2, True)


def test_a_state_directory_that_cannot_be_is_bad_input_of_a_change_and_said_by_a_look(
    hft: Callable[..., Any], loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFT_STATE", "/dev/null/x")
    host = pinned(loopback)
    said = hft("check", "--config-only", "--inventory", host.inventory)
    assert (said.code, "goes on without its record" in said.err, "Traceback" in said.err) == (4, True, False)
    for words in (("apply", "--yes"), ("host", "acknowledge", "e1", "--reason", "x")):
        said = hft(*words, "--inventory", host.inventory)
        assert (said.code, "Traceback" in said.err) == (2, False), said.err


def test_nothing_to_take_back_is_refused_before_any_question(hft: Callable[..., Any], loopback: Any) -> None:
    host = pinned(loopback)
    for verb, more in (("revert", ("--yes",)), ("recover", ())):
        said = hft(verb, "e1", *more, "--inventory", host.inventory)
        assert (said.code, "no agent is on it" in said.err) == (2, True), said
