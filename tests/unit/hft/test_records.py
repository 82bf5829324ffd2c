"""The run record: on disk before the work, chained, honest about torn and changed lines."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hft import records
from hft.errors import Exit, HftError
from inventory.errors import InventoryError


def lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in records.records_path("rack").read_text().splitlines()]


def test_line_that_opens_a_run_is_there_before_the_work() -> None:
    with records.recorded("rack", "apply", hosts=["e1"], reason="ticket 1", plan_hashes={"e1": "ab"}):
        (opened,) = lines()
    assert opened["event"] == "opened"
    assert (opened["verb"], opened["hosts"], opened["reason"]) == ("apply", ["e1"], "ticket 1")
    assert opened["plan_hashes"] == {"e1": "ab"}
    assert opened["by"] == records.operator()
    assert "@" in records.operator()


def test_line_that_closes_a_run_says_how_it_ended() -> None:
    with records.recorded("rack", "apply", hosts=["e1"]) as run:
        run.host("e1", result="reverted")
        run.host("e1", plan_hash="ab")
        run.exit_code = Exit.ROLLED_BACK
    closed = lines()[-1]
    assert (closed["event"], closed["outcome"], closed["exit_code"]) == ("closed", "rolled_back", 6)
    assert closed["hosts"] == {"e1": {"result": "reverted", "plan_hash": "ab"}}
    assert closed["run"] == lines()[0]["run"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InventoryError("bad\nhost"), 2),
        (HftError(Exit.LOCKED, "held"), 8),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("no such option"), 2),
        (RuntimeError("ours"), 1),
    ],
)
def test_run_that_raises_is_closed_with_the_exit_code_of_its_error(error: BaseException, code: int) -> None:
    with pytest.raises(type(error)), records.recorded("rack", "apply", hosts=["e1"]):
        raise error
    assert lines()[-1]["exit_code"] == code
    assert "\n" not in str(lines()[-1]["message"])


def test_run_that_was_killed_stays_open_in_the_record() -> None:
    code = (
        "import os, signal; from hft import records\n"
        "with records.recorded('rack', 'apply', hosts=['e1'], reason='dies'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (dead,) = records.read("rack").dead_runs()
    assert (dead["verb"], dead["reason"]) == ("apply", "dies")
    with records.recorded("rack", "apply", hosts=["e1"]):
        opened = records.read("rack").open_runs()
        assert [line["reason"] for line in opened] == ["dies", ""]
        assert len(records.read("rack").dead_runs()) == 1, "the one that is running is not dead"
    assert records.read("rack").open_runs() == (), "a later run of its kind put things right"


def test_empty_record_is_no_error() -> None:
    history = records.read("rack")
    assert (history.lines, history.problems, history.last_hash) == ((), (), records.GENESIS)


def three_lines() -> Path:
    for number in range(3):
        records.append("rack", {"event": "note", "number": number, "text": "naïve \u2028"})
    return records.records_path("rack")


def test_every_single_changed_byte_is_noticed() -> None:
    path = three_lines()
    good = path.read_bytes()
    assert records.read_bytes(good).problems == ()
    for position in range(len(good) - 1):  # the last newline is the torn tail's own test
        changed = bytearray(good)
        changed[position] ^= 0x01
        assert records.read_bytes(bytes(changed)).problems, f"byte {position}"


@pytest.mark.parametrize("gone", [0, 1])
def test_removed_line_is_noticed(gone: int) -> None:
    kept = three_lines().read_bytes().splitlines(keepends=True)
    del kept[gone]
    (problem,) = records.read_bytes(b"".join(kept)).problems
    assert "does not follow" in problem


def test_torn_tail_at_every_length_keeps_the_good_lines_and_the_chain_goes_on() -> None:
    path = three_lines()
    good = path.read_bytes()
    start = good.rindex(b"\n", 0, -1) + 1
    for end in range(start + 1, len(good)):
        path.write_bytes(good[:end])
        complete = end == len(good) - 1  # only the newline is missing: the line itself is whole
        assert len(records.read("rack").lines) == 2 + complete
        records.append("rack", {"event": "note", "number": 99})
        after = records.read("rack")
        assert after.lines[-1]["number"] == 99
        assert path.read_bytes().startswith(good[:end]), "what was there is never overwritten"
        assert len(after.problems) == (0 if complete else 1)


def test_two_writers_make_one_chain() -> None:
    code = "from hft import records\nfor n in range(20): records.append('rack', {'event': 'note', 'n': n})\n"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    history = records.read("rack")
    assert (len(history.lines), history.problems) == (60, ())


def test_full_disk_leaves_the_record_as_it_was_and_says_so() -> None:
    path = three_lines()
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
        with pytest.raises(HftError, match="cannot write the run record") as caught:
            records.append("rack", {"event": "note", "text": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert caught.value.exit_code == Exit.INTERNAL
    assert path.read_bytes() == before


def test_work_does_not_start_when_it_cannot_be_recorded(state: Path) -> None:
    state.write_text("a file where the directory should be")
    with pytest.raises(HftError), records.recorded("rack", "apply", hosts=["e1"]):
        pytest.fail("the body ran")


def test_last_verdict_of_a_host_is_the_newest_closed_run_that_names_it() -> None:
    for verdict, host in (("ok", "e1"), ("violated", "e1"), ("ok", "e2")):
        with records.recorded("rack", "check", hosts=[host]) as run:
            run.host(host, verdict=verdict)
    last = records.read("rack").last_of_host("e1", "check")
    assert last is not None
    assert last["verdict"] == "violated"
    assert records.read("rack").last_of_host("e3", "check") is None


def test_operator_behind_sudo_is_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    assert records.operator().startswith("alice@")


def test_state_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HFT_STATE")
    assert records.state_root() == Path("~/.local/state/hft").expanduser()
