"""What a host sends is bounded in bytes and time, on both streams, before it is kept."""

from __future__ import annotations

import time

import pytest

from transport import child
from transport.child import OUTPUT_CAP, TooMuchOutputError, run_bounded


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_flood_is_cut_and_the_command_is_ended(stream: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(TooMuchOutputError):
        run_bounded(["sh", "-c", f"exec cat /dev/zero{stream}"], stdin=b"", timeout_s=60)
    assert time.monotonic() - began_s < 30


def test_answer_up_to_the_bound_is_whole_and_both_streams_and_the_code_travel() -> None:
    script = f"head -c {OUTPUT_CAP} /dev/zero; cat >&2; exit 7"
    done = run_bounded(["sh", "-c", script], stdin=b"x" * 300_000, timeout_s=60)
    assert (done.returncode, len(done.stdout), done.stderr) == (7, OUTPUT_CAP, b"x" * 300_000)


def test_deadline_ends_the_command() -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        run_bounded(["sleep", "60"], stdin=b"", timeout_s=0.3)
    assert time.monotonic() - began_s < 10


def test_command_that_does_not_read_is_no_error() -> None:
    assert run_bounded(["true"], stdin=b"x" * 10_000_000, timeout_s=30).returncode == 0


def test_a_child_that_an_interrupt_killed_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It closed its pipes by dying, after the last look at whether to stop."""
    pump, killed = child._Exchange.pump, ["/bin/sh", "-c", "kill -9 $$"]
    assert child.run_bounded(killed, stdin=b"", timeout_s=10).returncode == -9

    def pump_and_stop(exchange: child._Exchange) -> None:
        pump(exchange)
        child._STOP.append(None)

    monkeypatch.setattr(child, "_STOP", [])
    monkeypatch.setattr(child._Exchange, "pump", pump_and_stop)
    with pytest.raises(KeyboardInterrupt):
        child.run_bounded(killed, stdin=b"", timeout_s=10)
