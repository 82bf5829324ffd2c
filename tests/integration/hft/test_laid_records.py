"""A member of the group who lays something in the place of a record blinds nobody: looks go on and say so."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hft import run_log
from hft.run_log import RECORD_MAX, records_path
from tests.integration.hft.conftest import pinned

pytestmark = pytest.mark.long


def sparse(path: Path, _: Path) -> None:
    path.touch()
    os.truncate(path, RECORD_MAX + 1)


def loose_folder(path: Path, victim: Path) -> None:
    """The whole directory of records is a link to somebody's own."""
    path.parent.rmdir()
    path.parent.symlink_to(victim.parent)


LAID: dict[str, Callable[[Path, Path], None]] = {
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
    "link": lambda path, victim: path.symlink_to(victim),
    "second name": lambda path, victim: path.hardlink_to(victim),
    "too large": sparse,
    "its folder a link": loose_folder,
}


@pytest.mark.parametrize("laid", LAID)
def test_looks_go_on_without_the_record_and_changes_refuse(
    laid: str, hft: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    host = pinned(loopback)
    at = ("--inventory", host.inventory)
    looks = (("status", *at), ("check", "--config-only", *at), ("apply", "--dry-run", *at))
    before = [hft(*words) for words in looks]
    victim, record = tmp_path / "mine" / "secret", records_path("loop")
    victim.parent.mkdir()
    victim.write_text("precious")
    record.unlink()
    LAID[laid](record, victim)
    for words, open_to_all in zip(looks, before, strict=True):
        said = hft(*words)
        assert said.code == open_to_all.code, said
        assert "e1" in said.out + said.err
        assert "Traceback" not in said.err
    said = hft("check", "--config-only", "--json", *at)
    assert [one["host"] for one in json.loads(said.out)["hosts"]] == ["e1"]
    assert str(record.parent) in said.err
    assert "goes on without its record" in said.err
    said = hft("status", "--json", *at)
    assert "not read, so nothing of it is known here" in json.loads(said.out)["record_problems"][0]
    changed = hft("apply", "--yes", *at)
    assert (changed.code, "e1: applied" in changed.out) == (2, False), changed
    assert victim.read_text() == "precious"
    assert [path.name for path in victim.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("laid", ["folder", "link", "pipe"])
def test_a_verdict_that_cannot_be_kept_is_told(
    laid: str, hft: Callable[..., Any], loopback: Any, state: Path, tmp_path: Path
) -> None:
    host = pinned(loopback)
    at = ("check", "--config-only", "--inventory", host.inventory)
    want = hft(*at).code
    checks = state / "checks" / "loop"
    (checks / "e1.json").unlink()
    checks.rmdir()
    (tmp_path / "mine").mkdir()
    if laid == "folder":
        (checks / "e1.json").mkdir(parents=True)
        (checks / "e1.json" / "x").touch()
    else:
        LAID[laid](checks, tmp_path / "mine")
    said = hft(*at)
    assert (said.code, "e1" in said.out) == (want, True), said
    assert "its verdict is not kept" in said.err
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_record_that_somebody_holds_is_waited_for_within_a_bound(
    hft: Callable[..., Any], loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "LOCK_WAIT_S", 0.3)
    at = ("--inventory", pinned(loopback).inventory)
    want = hft("check", "--config-only", *at).code
    with records_path("loop").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = hft("check", "--config-only", *at)
        assert (said.code, "another process has held it" in said.err) == (want, True), said
        assert hft("status", *at).code == 0
        assert hft("apply", "--yes", *at).code == 2
