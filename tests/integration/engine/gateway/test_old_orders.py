"""Orders that waited for longer than `order_age_max_ms` die at the gateway, wherever it was; cancels pass."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.contract.link import clordid, frame
from tests.support.commands import called
from tests.support.engine.engine_peer import EnginePeer, cancel_bytes, order_bytes, ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .venue_peer import VenuePeer

AGE_MS = 800
STALL_S = 2.0
WAITING = 50
Make = Callable[..., Gateway]


@pytest.fixture
def make(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Make]:
    """A gateway that lets nothing older pass, unless told otherwise."""
    made: list[Gateway] = []

    def start(**changes: object) -> Gateway:
        config = write_config(tmp_path, venue.port, **{"order_age_max_ms": AGE_MS, **changes})
        made.append(Gateway(program, config, "--test").start())
        made[-1].wait_ready()
        return made[-1]

    yield start
    for gateway in made:
        gateway.kill()


def old(engine: EnginePeer) -> list[int]:
    return [refusal["urn"] for refusal in engine.refusals if refusal["code"] == "order_old"]


def test_what_waited_while_the_gateway_was_stopped_is_refused_and_cancels_pass(
    make: Make, venue: VenuePeer
) -> None:
    gateway = make()
    engine = ready_engine(gateway.port, 1)
    first, _ = engine.order(1)
    assert venue.wait_for("accepted", first)
    gateway.nudge(signal.SIGSTOP)
    numbers = [engine.order(sequence)[0] for sequence in range(2, 2 + WAITING)]
    engine.send("U", cancel_bytes(first))
    time.sleep(STALL_S)
    gateway.nudge(signal.SIGCONT)
    engine.until(lambda: len(old(engine)) == WAITING)
    assert old(engine) == numbers, "each by its own number, none of them left"
    assert venue.wait_for("canceled", first)
    again, _ = engine.order(100, urn=numbers[0])
    assert venue.wait_for("accepted", again), "a new order passes, and the numbers are not used up"
    assert [seen.urn for seen in venue.accepted()] == [first, again]
    assert all(line["code"] == "order_old" for line in gateway.lines("refusals"))


def test_an_engine_that_was_quiet_sends_a_young_order(make: Make, venue: VenuePeer) -> None:
    gateway = make()
    engine = ready_engine(gateway.port, 1)
    for sequence in range(1, 4):
        time.sleep(STALL_S / 2)
        urn, _ = engine.order(sequence)
        assert venue.wait_for("accepted", urn)
    assert engine.refusals == []


def test_an_engine_that_sends_all_the_time_is_not_old(make: Make, venue: VenuePeer) -> None:
    gateway = make()
    engine = ready_engine(gateway.port, 1)
    end, sequence = time.monotonic() + 3 * AGE_MS / 1000, 0
    while time.monotonic() < end:
        sequence += 1
        engine.order(sequence)
        time.sleep(0.0005)
    assert venue.wait_for("accepted", sequence)
    engine.pump(0.1)
    assert engine.refusals == [] and len(venue.accepted()) == sequence


def test_what_waits_for_a_venue_that_does_not_read_dies_and_the_session_with_it(
    make: Make, venue: VenuePeer
) -> None:
    gateway = make(reconnect_ms=50)
    engine = ready_engine(gateway.port, 1)
    venue.set_reading(False)
    engine.socket.settimeout(0.5)
    sequence = 0
    try:
        while sequence < 60_000:
            sequence += 1
            engine.socket.sendall(order_frame(sequence))
    except OSError:
        pass
    engine.wait_refusal("venue_down")
    down = [line for line in gateway.lines("messages") if line["event"] == "venue_down"]
    assert "order_age_max_ms" in down[0]["reason"]
    forwarded = max(line["urn"] for line in gateway.lines("messages") if line["event"] == "forward")
    assert forwarded < sequence, "the gateway held some back"
    venue.set_reading(True)
    gateway.wait_ready()
    until(lambda: venue.logins >= 2)
    taken = len(venue.accepted())
    time.sleep(STALL_S / 2)
    assert len(venue.accepted()) == taken <= forwarded, "nothing comes late"


def order_frame(sequence: int) -> bytes:
    return frame("U", order_bytes(sequence, clordid(1, sequence)))


def test_the_limit_is_a_number_that_the_gateway_can_keep(program: Path, tmp_path: Path) -> None:
    for value, code in ((0, 64), (199, 64), (200, 0), (60_000, 0), (60_001, 64)):
        config = write_config(tmp_path, 1, order_age_max_ms=value)
        done = called(program, "--config", str(config), "--test", "--check")
        assert done.returncode == code, (value, done.stderr)
        assert code == 0 or "order_age_max_ms" in done.stderr
