"""A lock is taken over only from an owner that is dead for sure."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stacks.runner.lock import locks_in, started_s, why_dead

GONE = 2**22 + 1  # above the highest number that Linux gives (proc(5), pid_max)


@pytest.mark.parametrize(
    ("host", "began_s", "dead"),
    [
        ("here", None, "pid 7 is gone"),
        ("here", 99.0, ""),
        ("here", 101.0, ""),
        ("here", 103.0, "pid 7 is a process that started later"),
        ("there", None, ""),
        ("there", 200.0, ""),
    ],
)
def test_only_an_owner_of_this_machine_that_is_gone_or_younger_than_its_lock_is_dead(
    host: str, began_s: float | None, dead: str
) -> None:
    assert why_dead(7, host, 100.0, here="here", started_s=lambda _: began_s) == dead


def write(folder: Path, **changed: object) -> None:
    row = {
        "pid": os.getpid(),
        "username": "alice",
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    (folder / "a.json").write_text(json.dumps({**row, **changed}))


def test_a_lock_of_this_process_is_alive_and_names_its_owner(tmp_path: Path) -> None:
    write(tmp_path)
    (lock,) = locks_in(tmp_path)
    assert lock.dead == ""
    assert lock.owner.startswith(f"alice@{socket.gethostname()} (pid {os.getpid()}) since 2")


def test_a_lock_of_a_process_that_is_gone_is_dead(tmp_path: Path) -> None:
    write(tmp_path, pid=GONE)
    assert locks_in(tmp_path)[0].dead == f"pid {GONE} is gone"


def test_a_lock_older_than_the_process_that_has_its_number_now_is_dead(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(days=4000)
    write(tmp_path, timestamp=before.isoformat())
    assert "started later" in locks_in(tmp_path)[0].dead


@pytest.mark.parametrize(
    "text", ["", "{}", '{"pid": "x"}', "[]", '{"pid": 1, "hostname": "a", "timestamp": "b"}']
)
def test_a_lock_that_cannot_be_read_is_somebodys_and_never_dead(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    (lock,) = locks_in(tmp_path)
    assert (lock.owner.startswith("somebody"), lock.dead) == (True, "")


def test_the_start_of_this_process_is_known() -> None:
    began_s = started_s(os.getpid())
    assert began_s is not None
    assert 0 <= datetime.now(UTC).timestamp() - began_s < 86_400
    assert started_s(GONE) is None
