"""The record of a run that changes hosts: whole before anything is shown, whatever ends the run."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.rollout import undo
from deploys.rollout.outcome import HostOutcome, Told
from deploys.trial.resume import Closed
from hft import changing, run_log
from hft.changing import Change, carry_out
from hft.errors import Exit, HftError
from hft.locks import site_lock
from hft.signals import end_as_ctrl_c
from hft.verbs import apply
from inventory.model import Host
from transport.errors import UnreachableError

CHANGE = Change(site="loop", verb="apply", hosts=["e1", "e2", "e3"], reason="", as_json=False)


def outcome(name: str, result: Any = "committed") -> HostOutcome:
    return HostOutcome(host=name, result=result, seen="done", txn=f"t-{name}")


def on_record() -> dict[str, str]:
    return {
        line["host"]: line["facts"]["result"]
        for line in run_log.read("loop").lines
        if line["event"] == "host"
    }


def test_all_hosts_of_a_wave_are_on_record_before_one_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, int]] = []

    def show(end: HostOutcome, *, as_json: bool) -> None:
        assert not as_json
        shown.append((end.host, len(on_record())))

    monkeypatch.setattr(changing, "show_end", show)

    def run(told: Told) -> None:
        told([outcome("e1")])
        told([outcome("e2"), outcome("e3")])

    assert carry_out(CHANGE, run) == Exit.OK
    assert shown == [("e1", 1), ("e2", 3), ("e3", 3)]


def test_a_signal_waits_until_every_host_of_the_wave_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with the first line of three; all three are there, and in the line that closes the run."""
    end_as_ctrl_c()
    written, append = [], run_log.append

    def appending(site: str, event: Any) -> str:
        written.append(event["event"])
        if written.count("host") == 1 and event["event"] == "host":
            signal.raise_signal(signal.SIGINT)  # to this thread: a run has no other, a worker of xdist has
        return append(site, event)

    monkeypatch.setattr(run_log, "append", appending)
    with pytest.raises(KeyboardInterrupt):
        carry_out(CHANGE, lambda told: told([outcome("e1"), outcome("e2"), outcome("e3")]))
    assert on_record() == dict.fromkeys(("e1", "e2", "e3"), "committed")
    closed = run_log.read("loop").lines[-1]
    assert (closed["exit_code"], list(closed["hosts"])) == (130, ["e1", "e2", "e3"])


def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def run(told: Told) -> None:
        told([outcome("e1")])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(CHANGE, run)
    assert "look with: hft status" in capsys.readouterr().err


def test_a_record_that_cannot_be_written_hides_no_outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    append = run_log.append

    def full(site: str, event: Any) -> str:
        if event["event"] == "host":
            raise HftError(Exit.BAD_INPUT, "cannot write the run record")
        return append(site, event)

    monkeypatch.setattr(run_log, "append", full)
    with pytest.raises(HftError, match="run record"):
        carry_out(CHANGE, lambda told: told([outcome("e1")]))
    assert "e1" in capsys.readouterr().out


class Left:
    """A host on which an earlier run left a trial boot open."""

    host = Host(name="e1", address="192.0.2.1", role="engine", failure_domain="a")
    observed = SimpleNamespace(open_trial="20261121T100000-00000001")
    is_staged = False


def close(*, yes: bool, monkeypatch: pytest.MonkeyPatch, is_dark: bool = False) -> list[list[str]]:
    """What stood on record at each close of a trial and at the second look."""
    seen: list[list[str]] = []

    def events() -> list[str]:
        return [f"{line['verb']} {line['event']}" for line in run_log.read("loop").lines]

    def close_trial(_: object) -> Closed:
        seen.append(events())
        if is_dark:
            raise UnreachableError("e1", "does not answer")
        return Closed(txn="t-e1", is_committed=True, seen="done")

    def decided(_: object) -> Any:
        seen.append(events())

    monkeypatch.setattr(undo, "close_trial", close_trial)
    monkeypatch.setattr(apply, "decided", decided)
    request: Any = SimpleNamespace(site=SimpleNamespace(name="loop"), yes=yes, as_json=False, reason="")
    decision: Any = SimpleNamespace(changes=[Left()])
    with site_lock("loop", "apply") as lock:
        apply.close_open_trials(request, decision, lock)
    return seen


def test_an_open_trial_is_closed_under_a_record_and_then_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Sequence[object] = close(yes=True, monkeypatch=monkeypatch)
    assert seen == [["recover opened"], ["recover opened", "recover host", "recover closed"]]


def test_an_open_trial_is_not_closed_before_somebody_said_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HftError, match="not a terminal"):
        close(yes=False, monkeypatch=monkeypatch)
    assert run_log.read("loop").lines == ()


def test_a_trial_that_cannot_be_closed_ends_the_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HftError, match="e1: does not answer") as caught:
        close(yes=True, is_dark=True, monkeypatch=monkeypatch)
    assert caught.value.exit_code is Exit.UNREACHABLE
    assert on_record() == {"e1": "unreachable"}


def test_the_document_and_the_exit_code_do_not_depend_on_who_ended_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    change = replace(CHANGE, as_json=True)
    ends = [outcome("e3", "unreachable"), outcome("e1"), outcome("e2", "rolled_back")]
    assert carry_out(change, lambda told: told(ends)) == Exit.ROLLED_BACK
    assert [one["host"] for one in json.loads(capsys.readouterr().out)["hosts"]] == ["e1", "e2", "e3"]
