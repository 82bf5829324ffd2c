"""Events as QEMU writes them, resets and who asked for them, and a real QEMU that answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import process, qmp
from lab.errors import LabError
from tests.support import needs


def event(at_s: int, name: str, **data: object) -> str:
    return json.dumps({"timestamp": {"seconds": at_s, "microseconds": 0}, "event": name, "data": data}) + "\n"


def reset(at_s: int, *, guest: bool, reason: str = "guest-reset") -> str:
    return event(at_s, "RESET", guest=guest, reason=reason)


def who(text: str) -> list[str]:
    return [found.by for found in qmp.resets(qmp.parse_events(text))]


def test_greetings_and_answers_are_not_events() -> None:
    text = '{"QMP": {"version": {}}}\n{"return": {}}\n' + event(1, "RESUME")
    assert [found.name for found in qmp.parse_events(text)] == ["RESUME"]


def test_a_line_that_is_still_being_written_is_left_for_later() -> None:
    assert len(qmp.parse_events(event(1, "STOP") + event(2, "RESUME")[:-5])) == 1


def test_the_firmwares_echo_is_the_same_reset() -> None:
    assert who(reset(10, guest=False) + reset(11, guest=True) + reset(11, guest=True)) == ["host"]


def test_a_reset_right_after_the_watchdog_is_the_watchdogs() -> None:
    assert who(event(10, "WATCHDOG", action="reset") + reset(10, guest=True)) == ["watchdog"]


def test_a_reset_long_after_the_watchdog_is_the_guests() -> None:
    text = event(10, "WATCHDOG", action="reset") + reset(10, guest=True) + reset(60, guest=True)
    assert who(text) == ["watchdog", "guest"]


def test_restoring_a_snapshot_is_no_reset() -> None:
    assert who(reset(5, guest=False, reason="snapshot-load")) == []


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Path]:
    needs.skip_without("qemu-system-x86_64")
    path, pid_file = tmp_path / "q.sock", tmp_path / "pid"
    argv = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-m", "16M", "-machine", "q35"]
    argv += ["-qmp", f"unix:{path},server=on,wait=off", "-daemonize", "-pidfile", str(pid_file)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    yield path
    process.kill(pid_file)
    assert process.running_pid(pid_file) is None


def test_a_real_qemu_answers_and_refuses(monitor: Path) -> None:
    assert qmp.command(monitor, "query-status")["running"] is False
    with pytest.raises(LabError, match="no-such"):
        qmp.command(monitor, "set_link", {"name": "no-such", "up": False})
    assert "savevm" not in qmp.monitor(monitor, "info version")


def test_a_dead_monitor_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not answer"):
        qmp.command(tmp_path / "gone", "stop")
