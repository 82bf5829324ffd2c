"""The site lock: one holder, named; free at once when the holder dies; taken over only when told to."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hft import run_log
from hft.errors import Exit, HftError
from hft.locks import holder_of, lock_path, site_lock

HOLD = (
    "import sys; from hft.locks import site_lock\n"
    "with site_lock('rack', 'apply of plan 3f2a') as lock:\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
    "    lock.check()\n"
    "    print('still mine', flush=True)\n"
)


@contextmanager
def another_holder() -> Iterator[subprocess.Popen[str]]:
    """Another `hft` that holds the site until a line is written to it."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        yield other
    finally:
        other.kill()
        other.communicate(timeout=10)


def test_second_operator_is_refused_with_the_holder_the_reason_and_the_way_out() -> None:
    with another_holder() as other, pytest.raises(HftError) as caught, site_lock("rack", "mine"):
        pytest.fail("two holders")
    assert caught.value.exit_code == Exit.LOCKED
    sentence = str(caught.value)
    for part in (run_log.operator(), f"pid {other.pid}", "apply of plan 3f2a", "--takeover"):
        assert part in sentence


def test_other_sites_are_not_in_the_way() -> None:
    with another_holder(), site_lock("other-rack", "mine"):
        pass


def test_lock_is_free_after_the_body_whatever_happened() -> None:
    with pytest.raises(KeyError), site_lock("rack", "one"):
        raise KeyError
    with site_lock("rack", "two") as lock:
        assert lock.died is None, "a holder that let go is not a dead one"
    assert holder_of("rack") is None


def test_dead_holder_frees_at_once_and_is_named() -> None:
    with another_holder() as other:
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=10)
        assert holder_of("rack") is None
        with site_lock("rack", "mine") as lock:
            assert lock.died is not None
            assert (lock.died.pid, lock.died.reason) == (other.pid, "apply of plan 3f2a")


def test_takeover_is_recorded_and_stops_the_old_holder_at_its_next_step() -> None:
    with another_holder() as other:
        with site_lock("rack", "it hangs", takeover=True) as lock:
            lock.check()
            holder = holder_of("rack")
            assert holder is not None
            assert holder.reason == "it hangs"
            out, err = other.communicate("\n", timeout=10)
            lock.check()
        assert "still mine" not in out
        assert "taken over by" in err
    (event,) = run_log.read("rack").lines
    assert (event["event"], event["reason"], event["from"]["pid"]) == ("takeover", "it hangs", other.pid)


def test_takeover_of_a_free_site_is_a_plain_lock() -> None:
    with site_lock("rack", "mine", takeover=True):
        pass
    assert run_log.read("rack").lines == ()


def test_third_operator_is_refused_while_the_one_who_took_over_holds() -> None:
    with another_holder(), site_lock("rack", "second", takeover=True):
        code = "from hft.locks import site_lock\nwith site_lock('rack', 'third'): pass\n"
        third = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert third.returncode != 0
        assert "for: second" in third.stderr
    with site_lock("rack", "after"):
        pass


def test_looking_does_not_disturb() -> None:
    with site_lock("rack", "mine"):
        holders = [holder_of("rack") for _ in range(20)]
    assert {holder.reason if holder else None for holder in holders} == {"mine"}


def test_look_of_another_process_does_not_make_a_free_site_busy() -> None:
    with site_lock("rack", "first"):
        pass
    code = "from hft.locks import holder_of\nprint(flush=True)\nwhile True: holder_of('rack')\n"
    looker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert looker.stdout is not None
        looker.stdout.readline()
        for number in range(50):
            with site_lock("rack", f"run {number}"):
                pass
    finally:
        looker.kill()
        looker.communicate(timeout=10)


def test_operators_of_one_group_can_share_a_site(state: Path) -> None:
    state.mkdir()
    state.chmod(0o2770)
    run_log.append("rack", {"event": "note"})
    with site_lock("rack", "mine"):
        pass
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (lock_path("rack"), run_log.records_path("rack"))}
    assert modes == {0o660}
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {0o2770}


def test_state_directory_that_cannot_be_used_is_one_sentence(state: Path) -> None:
    state.write_text("a file where the directory should be")
    with pytest.raises(HftError, match="cannot lock site rack"), site_lock("rack", "mine"):
        pytest.fail("the body ran")
