"""The run record: on disk before the work, chained, honest about torn and changed lines."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import get_args

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.rollout.outcome import Result
from hft import run_log
from hft.errors import Exit, HftError
from hft.past import runs_of
from hft.run_lines import end_of, hash_of, read_chain
from inventory.errors import InventoryError
from transport.signals import signals_held


def lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in run_log.records_path("rack").read_text().splitlines()]


def test_line_that_opens_a_run_is_there_before_the_work() -> None:
    with run_log.recorded("rack", "apply", hosts=["e1"], reason="ticket 1", plan_hashes={"e1": "ab"}):
        (opened,) = lines()
    assert opened["event"] == "opened"
    assert (opened["verb"], opened["hosts"], opened["reason"]) == ("apply", ["e1"], "ticket 1")
    assert opened["plan_hashes"] == {"e1": "ab"}
    assert opened["by"] == run_log.operator()
    assert "@" in run_log.operator()


def test_line_that_closes_a_run_says_how_it_ended() -> None:
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.host("e1", result="reverted")
        run.host("e1", plan_hash="ab")
        run.exit_code = Exit.ROLLED_BACK
    closed = lines()[-1]
    assert (closed["event"], closed["outcome"], closed["exit_code"]) == ("closed", "rolled_back", 6)
    assert closed["hosts"] == {"e1": {"result": "reverted", "plan_hash": "ab"}}
    assert closed["run"] == lines()[0]["run"]


def test_a_host_that_ended_is_on_disk_before_the_run_closes_and_stays_known_if_it_never_does() -> None:
    dies = run_log.recorded("rack", "apply", hosts=["e1", "e2"])
    run = dies.__enter__()
    run.ended("e1", result="committed", plan_hash="ab")
    assert lines()[-1]["event"] == "host"
    history = run_log.read("rack")
    assert history.applied_plan("e1") == "ab"
    assert history.applied_plan("e2") is None
    assert history.problems == ()
    dies.__exit__(None, None, None)
    assert run_log.read("rack").applied_plan("e1") == "ab"


def test_a_host_that_was_changed_and_has_steps_before_it_is_known_if_the_run_dies_there() -> None:
    dies = run_log.recorded("rack", "apply", hosts=["e1", "e2"])
    run = dies.__enter__()
    run.stood("e1", "send", result="staged", txn="t1", plan_hash="ab")
    run.stood("e1", "trial boot", result="committed", txn="t1", plan_hash="ab")
    run.stood("e2", "drain", result="no_change", txn=None, plan_hash="ab")
    history = run_log.read("rack")
    assert (history.problems, history.applied_plan("e1"), history.applied_plan("e2")) == ((), "ab", None)
    seen = runs_of(history.lines)[0]
    assert [seen.end_of(host) for host in ("e1", "e2")] == [
        "committed behind trial boot",
        "no change behind drain",
    ]
    run.ended("e1", result="failed", txn="t1")
    assert runs_of(run_log.read("rack").lines)[0].end_of("e1") == "failed"
    dies.__exit__(None, None, None)
    history = run_log.read("rack")
    assert history.applied_plan("e1") is None
    assert runs_of(history.lines)[0].end_of("e1") == "failed"


def test_what_was_staged_and_rolled_back_in_one_run_leaves_the_plan_of_before_known() -> None:
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.ended("e1", result="committed", plan_hash="ab")
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.stood("e1", "send", result="staged", plan_hash="cd")
        run.ended("e1", result="rolled_back", plan_hash="cd")
    assert run_log.read("rack").applied_plan("e1") == "ab"


@pytest.mark.parametrize("result", run_log.LEFT_AS_IT_WAS)
def test_an_end_that_left_a_host_as_it_was_leaves_its_plan_known(result: str) -> None:
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.ended("e1", result="committed", plan_hash="ab")
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.ended("e1", result=result, plan_hash="cd")
    assert run_log.read("rack").applied_plan("e1") == "ab"


@pytest.mark.parametrize(
    ("verb", "result"), [("apply", "failed"), ("apply", "half_undone"), ("revert", "committed")]
)
def test_a_plan_is_not_known_any_more_after_what_may_have_changed_it(verb: str, result: str) -> None:
    with run_log.recorded("rack", "apply", hosts=["e1"]) as run:
        run.ended("e1", result="committed", plan_hash="ab")
    with run_log.recorded("rack", verb, hosts=["e1"]) as run:
        run.ended("e1", result=result)
    assert run_log.read("rack").applied_plan("e1") is None


def test_the_results_that_leave_a_host_as_it_was_are_results() -> None:
    assert set(run_log.LEFT_AS_IT_WAS) < set(get_args(Result))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_line_is_written(number: signal.Signals) -> None:
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), signals_held():
            signal.raise_signal(number)
            run_log.append("rack", {"event": "note"})
    finally:
        signal.signal(number, before)
    assert lines()[-1]["event"] == "note"


SHAPES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(
    event=st.sampled_from(["opened", "host", "closed", "acknowledged", "takeover", "zzz"]),
    more=st.dictionaries(
        st.sampled_from(["run", "verb", "by", "pid", "host", "hosts", "facts", "txn", "at"]),
        SHAPES | st.dictionaries(st.text(max_size=3), SHAPES | st.dictionaries(st.text(max_size=3), SHAPES)),
        max_size=6,
    ),
)
def test_whatever_stands_in_a_line_of_right_hash_no_reader_fails(event: str, more: dict[str, object]) -> None:
    line = {"schema": 1, "at": "2026-11-21T10:00:00+00:00", "event": event, "prev": run_log.GENESIS} | more
    line["hash"] = hash_of(line)
    history = run_log.read_bytes(json.dumps(line).encode() + b"\n")
    assert len(history.lines) + len(history.problems) >= 1
    history.dead_runs()
    history.applied_plan("e1")
    assert all(isinstance(facts, dict) for _, _, facts in history.ends())


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
    with pytest.raises(type(error)), run_log.recorded("rack", "apply", hosts=["e1"]):
        raise error
    assert lines()[-1]["exit_code"] == code
    assert "\n" not in str(lines()[-1]["message"])


def test_empty_record_is_no_error() -> None:
    history = run_log.read("rack")
    assert (history.lines, history.problems, history.last_hash) == ((), (), run_log.GENESIS)


def three_lines() -> Path:
    for number in range(3):
        run_log.append("rack", {"event": "note", "number": number, "text": "naïve \u2028"})
    return run_log.records_path("rack")


def test_the_next_line_follows_what_the_whole_record_ends_with_however_it_is_damaged() -> None:
    good = three_lines().read_bytes()
    cut = [good[:length] for length in range(len(good) + 1)]
    changed = [good[:at] + b"!" + good[at + 1 :] for at in range(len(good))]
    for data in (*cut, *changed):
        assert end_of(data) == (read_chain(data).last_hash, bool(data) and data[-1:] != b"\n")


def test_every_single_changed_byte_is_noticed() -> None:
    path = three_lines()
    good = path.read_bytes()
    assert run_log.read_bytes(good).problems == ()
    for position in range(len(good) - 1):  # the last newline is the torn tail's own test
        changed = bytearray(good)
        changed[position] ^= 0x01
        assert run_log.read_bytes(bytes(changed)).problems, f"byte {position}"


@pytest.mark.parametrize("gone", [0, 1])
def test_removed_line_is_noticed(gone: int) -> None:
    kept = three_lines().read_bytes().splitlines(keepends=True)
    del kept[gone]
    (problem,) = run_log.read_bytes(b"".join(kept)).problems
    assert "does not follow" in problem


def test_torn_tail_at_every_length_keeps_the_good_lines_and_the_chain_goes_on() -> None:
    path = three_lines()
    good = path.read_bytes()
    start = good.rindex(b"\n", 0, -1) + 1
    for end in range(start + 1, len(good)):
        path.write_bytes(good[:end])
        complete = end == len(good) - 1  # only the newline is missing: the line itself is whole
        assert len(run_log.read("rack").lines) == 2 + complete
        run_log.append("rack", {"event": "note", "number": 99})
        after = run_log.read("rack")
        assert after.lines[-1]["number"] == 99
        assert path.read_bytes().startswith(good[:end]), "what was there is never overwritten"
        assert len(after.problems) == (0 if complete else 1)


def test_full_disk_leaves_the_record_as_it_was_and_says_so() -> None:
    path = three_lines()
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
        with pytest.raises(HftError, match="cannot write the run record") as caught:
            run_log.append("rack", {"event": "note", "text": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert caught.value.exit_code == Exit.BAD_INPUT
    assert path.read_bytes() == before


def test_work_does_not_start_when_it_cannot_be_recorded(state: Path) -> None:
    state.write_text("a file where the directory should be")
    with pytest.raises(HftError), run_log.recorded("rack", "apply", hosts=["e1"]):
        pytest.fail("the body ran")


def test_last_verdict_of_a_host_is_the_newest_closed_run_that_names_it() -> None:
    for verdict, host in (("ok", "e1"), ("violated", "e1"), ("ok", "e2")):
        with run_log.recorded("rack", "check", hosts=[host]) as run:
            run.host(host, verdict=verdict)
    last = run_log.read("rack").last_of_host("e1", "check")
    assert last is not None
    assert last["verdict"] == "violated"
    assert run_log.read("rack").last_of_host("e3", "check") is None


def test_state_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HFT_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # an account that has kept nothing yet, whatever this one has
    assert run_log.state_root() == tmp_path / ".local/state/hft"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert run_log.state_root() == tmp_path / "xdg/hft"
