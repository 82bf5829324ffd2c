"""Confirmations as the host keeps them: per boot, per connection, and never for another trial."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent import state
from agent.boot.states import Phase, Trial
from agent.health import health
from agent.host import HostRoot

TXN = "20261121T101500-3f2a9c1b"
TRIAL = Trial(
    txn=TXN,
    state=Phase.HEALTHY,
    reason="",
    panic_s=5,
    watchdog_s=900,
    trial_s=600,
    confirmations=2,
    confirm_gap_s=0,
    args=(),
    release="6.1",
    kernel_sha256="",
    initrd_sha256="",
)


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    made = HostRoot(root=str(tmp_path))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text(f"ro hft.txn={TXN}\n")
    state.update(made, trial=TRIAL.to_json())
    return made


def confirm(host: HostRoot, capsys: pytest.CaptureFixture[str], txn: str = TXN) -> dict[str, object]:
    code = health.confirm(host, [txn])
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    assert (code == 0) is answer["accepted"]
    return answer


def test_two_connections_confirm_and_one_alone_never_does(
    host: HostRoot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ssh_connection", lambda _host: "10.0.0.1 50000 10.0.0.2 22")
    assert confirm(host, capsys)["accepted"]
    again = confirm(host, capsys)
    assert (again["accepted"], again["code"], again["confirmed"]) == (False, "same_connection", 1)
    monkeypatch.setattr(health, "ssh_connection", lambda _host: "10.0.0.1 50001 10.0.0.2 22")
    assert confirm(host, capsys)["confirmed"] == 2
    assert health.wait_for_confirmations(host, TRIAL) is None


def test_without_confirmations_the_deadline_is_the_reason(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "uptime_s", lambda: 601.0)
    assert health.wait_for_confirmations(host, TRIAL) == (
        "only 0 of 2 confirmations over new connections arrived within 600 s"
    )


def test_another_trial_or_another_entry_cannot_be_confirmed(
    host: HostRoot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert confirm(host, capsys, "20261121T101500-00000000")["code"] == "no_trial"
    (tmp_path / "proc/cmdline").write_text("ro hft.good=adopted\n")
    assert confirm(host, capsys)["code"] == "no_trial"
    state.update(host, trial=replace(TRIAL, state=Phase.COMMITTED, closed=True).to_json())
    assert confirm(host, capsys)["code"] == "no_trial"


def test_a_call_outside_of_ssh_does_not_count(host: HostRoot, capsys: pytest.CaptureFixture[str]) -> None:
    assert confirm(host, capsys)["code"] == "no_connection"


def test_the_connection_is_found_through_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = HostRoot(root=str(tmp_path))
    monkeypatch.setattr(os, "getpid", lambda: 30)
    for pid, parent, environ in (
        (30, 20, "PATH=/bin\0"),
        (20, 10, "SSH_CONNECTION=a 1 b 22\0HOME=/\0"),
        (10, 1, ""),
    ):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/stat").write_text(f"{pid} (a b) c) S {parent} 0")
        (tmp_path / f"proc/{pid}/environ").write_text(environ)
    assert health.ssh_connection(host) == "a 1 b 22"
    (tmp_path / "proc/20/environ").write_text("HOME=/\0")
    assert health.ssh_connection(host) == ""
