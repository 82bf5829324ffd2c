"""`-v` and the log of a run, in front of a real sshd."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hft import run_trace
from hft.run_trace import Log, folder
from tests.integration.hft.conftest import pinned
from transport.trace import Asked

pytestmark = pytest.mark.long


def test_every_run_that_asks_a_host_keeps_a_log_and_v_tells_where(
    hft: Callable[..., Any], loopback: Any
) -> None:
    site = ("--inventory", pinned(loopback).inventory)
    quiet = hft("status", *site)
    assert "log:" not in quiet.err
    (first,) = folder().iterdir()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    head, asked, end = first.read_text().splitlines()
    assert head.split(" ", 1)[1] == f"hft status --inventory {site[1]}"
    assert re.search(r"e1: exit 0 in \d+\.\d\d s, .*got \d+ \(127\.0\.0\.1 port \d+\): ", asked)
    assert end.endswith(f"exit code {quiet.code}")
    once, twice = hft("status", "-v", *site), hft("status", "-vv", *site)
    line = next(one for one in once.err.splitlines() if " e1: exit 0" in one)
    assert "port" not in line
    assert any("port" in one and "grep" in one for one in twice.err.splitlines())
    told = once.err.splitlines()[-1].removeprefix("log: ")
    assert Path(told).read_text().splitlines()[0].endswith(f"status -v --inventory {site[1]}")


def test_what_asks_nobody_leaves_no_log(hft: Callable[..., Any], loopback: Any) -> None:
    assert hft("host", "list", "-v", "--inventory", loopback.inventory).code == 0
    assert not folder().exists()


def test_a_host_that_is_dark_is_in_the_log_with_its_reason(hft: Callable[..., Any], loopback: Any) -> None:
    dark = hft("apply", "--dry-run", "-v", "--inventory", pinned(loopback, ssh_port=1).inventory)
    assert dark.code == 7
    (log,) = folder().iterdir()
    assert "e1: cannot reach 127.0.0.1 port 1: " in log.read_text()


def event(line: str = "true") -> Asked:
    return Asked(host="e1", where="here", line=line, sent=0, came=0, seconds=0.1, ended="exit 0")


def test_logs_are_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_trace, "KEPT", 3)
    monkeypatch.setattr(run_trace, "SIZE_MAX", 200)
    folder().mkdir(parents=True)
    for number in range(5):
        (folder() / f"2020010{number}T000000-1-apply.log").write_text("old")
    log = Log(words=["status"])
    for _ in range(50):
        log.asked(event())
    assert [one.name[:8] for one in sorted(folder().iterdir())][:2] == ["20200103", "20200104"]
    assert len([*folder().iterdir()]) == 3
    assert log.path is not None
    assert log.path.stat().st_size < 400


def test_no_place_for_a_log_stops_nobody(
    hft: Callable[..., Any], loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = pinned(loopback).inventory
    folder().parent.mkdir(parents=True, exist_ok=True)
    folder().write_text("in the way")
    said = hft("status", "-v", "--inventory", site)
    assert (said.code, "Traceback" in said.err, "log:" in said.err) == (0, False, False), said


def test_a_log_obeys_nobody() -> None:
    log = Log(words=["status"])
    log.asked(event("a\x1b[2J\nhft: all well"))
    assert log.path is not None
    text = log.path.read_text()
    assert ("\x1b" in text, len(text.splitlines())) == (False, 2)
