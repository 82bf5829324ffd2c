"""The failover that no person starts: silence by the gateway's clock, a succession used once.

Engines are peers that beat as they are told to; the gateway is a test gateway, which takes successions
unsigned. The signed way, with real engines, is tests/integration/engine/chain/test_automatic_failover.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine.engine_peer import EnginePeer, ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .beating import BEAT_MS, SILENCE_MS, Beating
from .venue_peer import VenuePeer

LATER_S = 2**33
FED = 100  # messages of the feed that the holder has taken in


@pytest.fixture
def beating() -> Iterator[Beating]:
    made = Beating()
    yield made
    made.close()


@pytest.fixture
def gateway(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Gateway]:
    running = Gateway(program, write_config(tmp_path, venue.port, beat_ms=BEAT_MS), "--test").start()
    running.wait_ready()
    assert running.verb("fence", epoch=1, holder="a", approved=[])["ok"]
    yield running
    if running.process is not None:
        running.nudge(signal.SIGCONT)
    running.kill()


def document(**changes: Any) -> dict[str, Any]:
    """A succession from a to b."""
    fields: dict[str, Any] = {
        "schema": 1,
        "epoch_seen": 1,
        "holder": "a",
        "successor": "b",
        "approved": [],
        "silence_ms": SILENCE_MS,
        "loss_max_records": 10,
        "not_after_s": LATER_S,
    }
    return {**fields, **changes}


def allow(gateway: Gateway, **changes: Any) -> dict[str, Any]:
    return gateway.verb("succession", succession=document(**changes))


def automatic(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.verb("status")["automatic"]
    return found


def pages(gateway: Gateway) -> list[str]:
    """The codes of what the log calls a page."""
    return [line["code"] for line in gateway.lines("refusals") if line["reason"].startswith("PAGE ")]


def phases(gateway: Gateway) -> list[str]:
    """Of every link."""
    return [one["phase"] for one in gateway.verb("sessions")["links"]]


def holder(gateway: Gateway, beating: Beating) -> EnginePeer:
    """Slot a, logged in with epoch 1, whose beats the gateway has heard."""
    peer = ready_engine(gateway.port, 1, "a")
    beating.words[peer] = {"next_feed": FED}
    beating.said()
    until(lambda: automatic(gateway)["holder"]["watched"])
    return peer


def spare(gateway: Gateway, beating: Beating, **words: Any) -> EnginePeer:
    """Slot b with a link that has claimed nothing."""
    peer = EnginePeer(gateway.port)
    assert peer.hello(slot="b")["beat_ms"] == BEAT_MS
    beating.words[peer] = {"standby": True, "next_feed": FED, **words}
    return peer


def fenced_in(peer: EnginePeer) -> int:
    """The epoch that the gateway gives it."""
    return int.from_bytes(peer.expect("f"), "big")


def takes_over(peer: EnginePeer, beating: Beating, epoch: int | None = None) -> int:
    """Fenced in (with EPOCH it is already), claimed, logged in on the link that it had; the epoch."""
    epoch = fenced_in(peer) if epoch is None else epoch
    assert "code" not in peer.claim(epoch) and peer.login() == "A"
    beating.words[peer] = {"next_feed": FED}
    return epoch


def test_the_end_of_the_holders_stream_fences_the_successor_in_at_once(
    gateway: Gateway, venue: VenuePeer, beating: Beating
) -> None:
    old, new = holder(gateway, beating), spare(gateway, beating)
    assert allow(gateway)["ok"]
    old.order(1)
    assert venue.wait_for("accepted", 1)
    del beating.words[old]
    old.close()
    assert takes_over(new, beating) == 2
    urn, _ = new.order(2)
    assert venue.wait_for("accepted", urn) and venue.wait_for("canceled", 1)
    status = gateway.verb("status")
    assert status["epoch"] == {"highest": 2, "durable": True, "holder": "b"}
    assert (status["automatic"]["succession"], status["automatic"]["takeovers"]) == (None, 1)
    (last,) = status["automatic"]["past"]
    assert (last["from"], last["to"], last["epoch"], last["stream_ended"]) == ("a", "b", 2, True)


def test_a_silent_holder_is_succeeded_and_what_it_sends_later_is_refused(
    gateway: Gateway, venue: VenuePeer, beating: Beating
) -> None:
    old, new = holder(gateway, beating), spare(gateway, beating)
    assert allow(gateway)["ok"]
    del beating.words[old]
    assert fenced_in(new) == 2
    old.order(1)
    assert old.wait_refusal("stale_epoch"), "before its successor has claimed, too"
    takes_over(new, beating, 2)
    urn, name = new.order(2)
    assert venue.wait_for("accepted", urn)
    assert [seen.clordid for seen in venue.accepted()] == [name]
    (last,) = automatic(gateway)["past"]
    assert last["stream_ended"] is False and last["silent_ns"] >= SILENCE_MS * 1_000_000


def test_it_is_used_once_and_the_next_death_only_pages(gateway: Gateway, beating: Beating) -> None:
    old, new = holder(gateway, beating), spare(gateway, beating)
    assert allow(gateway)["ok"]
    old.close()
    del beating.words[old]
    takes_over(new, beating)
    third = EnginePeer(gateway.port)
    third.hello(slot="a")
    beating.words[third] = {"standby": True, "next_feed": FED}
    until(lambda: automatic(gateway)["holder"]["watched"])
    del beating.words[new]
    new.close()
    until(lambda: "succession_none" in pages(gateway), "a page")
    assert gateway.verb("status")["epoch"]["highest"] == 2
    assert allow(gateway)["code"] == "epoch_moved", "the same one again is for an epoch that is over"
    assert allow(gateway, epoch_seen=2, holder="b", successor="a")["ok"]
    assert fenced_in(third) == 3


def forbid(gateway: Gateway, _peer: EnginePeer, _beating: Beating) -> None:
    assert gateway.verb("pause", kind="freeze", for_s=600, operator="alice", reason="expiry day")["ok"]


def latch(gateway: Gateway, _peer: EnginePeer, _beating: Beating) -> None:
    assert gateway.verb("latch", scope="site", reason="test")["ok"]


def words(**said: Any) -> Callable[[Gateway, EnginePeer, Beating], None]:
    def say(_gateway: Gateway, peer: EnginePeer, beating: Beating) -> None:
        beating.words[peer] = {"standby": True, "next_feed": FED, **said}
        beating.said()

    return say


def hang_up(gateway: Gateway, peer: EnginePeer, beating: Beating) -> None:
    del beating.words[peer]
    peer.close()
    until(lambda: "claim" not in phases(gateway), "the end of the spare's link")


def freeze(_gateway: Gateway, peer: EnginePeer, beating: Beating) -> None:
    del beating.words[peer]
    time.sleep(1.2 * SILENCE_MS / 1000)  # until it counts as silent


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("paused", forbid),
        ("latched", latch),
        ("latched", words(latched=True)),
        ("successor_unready", words(fresh=False)),
        ("successor_unready", words(standby=False)),
        ("successor_loss", words(next_feed=FED - 11)),
        ("successor_absent", hang_up),
        ("successor_absent", freeze),
    ],
)
def test_whoever_is_not_ready_is_not_fenced_in_and_it_is_said_loudly(
    gateway: Gateway,
    beating: Beating,
    code: str,
    change: Callable[[Gateway, EnginePeer, Beating], None],
) -> None:
    old, new = holder(gateway, beating), spare(gateway, beating)
    assert allow(gateway)["ok"]
    change(gateway, new, beating)
    del beating.words[old]
    old.close()
    until(lambda: automatic(gateway)["held_off_by"] == code, code)
    assert pages(gateway) == [code]
    time.sleep(0.1)
    assert gateway.verb("status")["epoch"]["highest"] == 1
    assert automatic(gateway)["succession"] == document(), "it is not used up by what did not happen"


def test_a_pause_that_is_lifted_or_over_lets_it_happen(gateway: Gateway, beating: Beating) -> None:
    old, new = holder(gateway, beating), spare(gateway, beating)
    assert allow(gateway)["ok"]
    assert gateway.verb("pause", for_s=600, operator="alice", reason="work on b")["ok"]
    assert gateway.verb("pause", kind="freeze", for_s=1, operator="alice", reason="expiry")["ok"]
    del beating.words[old]
    old.close()
    until(lambda: automatic(gateway)["held_off_by"] == "paused")
    assert gateway.verb("unpause", reason="done")["code"] == "operator_missing"
    assert gateway.verb("unpause", operator="alice", reason="done")["ok"]
    assert fenced_in(new) == 2, "the freeze expires by itself"


def test_a_planned_fence_is_refused_while_paused_and_an_unplanned_one_passes(gateway: Gateway) -> None:
    assert gateway.verb("pause", for_s=600, operator="alice", reason="work")["ok"]
    assert gateway.fence(2, planned=True)["code"] == "paused"
    assert gateway.fence(2)["ok"]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("epoch_moved", {"epoch_seen": 2}),
        ("succession_none", {"holder": "c"}),
        ("succession_expired", {"not_after_s": 1_700_000_000}),
        ("succession_silence", {"silence_ms": 5 * BEAT_MS - 1}),
        ("succession_malformed", {"successor": "a"}),
        ("succession_malformed", {"more": 1}),
        ("succession_malformed", {"silence_ms": 0}),
    ],
)
def test_a_succession_that_could_not_be_used_is_refused_when_it_is_handed_in(
    gateway: Gateway, code: str, changes: dict[str, Any]
) -> None:
    assert allow(gateway, **changes)["code"] == code
    assert automatic(gateway)["succession"] is None


@pytest.mark.parametrize("fields", [{"for_s": 0}, {"for_s": 604_801}, {"kind": "rest", "for_s": 1}, {}])
def test_a_hold_has_a_kind_and_an_end(gateway: Gateway, fields: dict[str, Any]) -> None:
    refused = gateway.verb("pause", operator="alice", reason="x", **fields)
    assert refused["code"] == "hold_malformed" and automatic(gateway)["holds"] == {}


def test_succession_and_holds_survive_a_restart_and_can_be_taken_back(
    gateway: Gateway, beating: Beating
) -> None:
    assert allow(gateway)["ok"]
    assert gateway.verb("pause", for_s=600, operator="alice", reason="work")["ok"]
    gateway.kill()
    gateway.start()
    gateway.wait_ready()
    found = automatic(gateway)
    assert found["succession"] == document()
    assert 590 < found["holds"]["pause"]["left_s"] <= 600 and "alice" in found["holds"]["pause"]["by"]
    assert gateway.verb("succession")["code"] == "operator_missing"
    assert gateway.verb("succession", operator="alice", reason="b is needed elsewhere")["ok"]
    assert automatic(gateway)["succession"] is None
    old = holder(gateway, beating)
    old.close()
    until(lambda: "succession_none" in pages(gateway), "a page: the holder is gone and nobody is named")


@pytest.mark.engine
def test_a_gateway_that_was_stopped_does_not_take_over_from_a_holder_that_beat(
    gateway: Gateway, beating: Beating
) -> None:
    holder(gateway, beating)
    spare(gateway, beating)
    assert allow(gateway)["ok"]
    for stopped_ms in (SILENCE_MS / 2, SILENCE_MS, 1.5 * SILENCE_MS):
        gateway.nudge(signal.SIGSTOP)
        time.sleep(stopped_ms / 1000)
        gateway.nudge(signal.SIGCONT)
        time.sleep(SILENCE_MS / 2000)
    found = automatic(gateway)
    assert found["takeovers"] == 0 and found["stops"] >= 3 and pages(gateway) == []
    assert gateway.verb("status")["epoch"]["highest"] == 1


@pytest.mark.engine
def test_a_gateway_that_waits_for_its_cpu_comes_to_an_end_and_takes_nothing_before(
    gateway: Gateway, beating: Beating
) -> None:
    """Behind a process that never sleeps, at the lowest priority on its CPU: nearly every look is late."""
    beating.silence_ms = 5 * BEAT_MS
    assert gateway.process is not None
    old = holder(gateway, beating)
    new = spare(gateway, beating)
    assert allow(gateway, silence_ms=beating.silence_ms)["ok"]
    cpu = max(os.sched_getaffinity(0))
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for pid in (hog.pid, gateway.process.pid):
            os.sched_setaffinity(pid, {cpu})
        os.sched_setscheduler(gateway.process.pid, os.SCHED_IDLE, os.sched_param(0))
        until(lambda: automatic(gateway)["late_looks"] >= 5, "looks that come late", patience_s=60)
        found = automatic(gateway)
        assert found["takeovers"] == 0, found
        del beating.words[old]
        assert int.from_bytes(new.expect("f", timeout_s=60), "big") == 2
    finally:
        hog.kill()
        hog.wait()


@pytest.mark.engine
def test_who_logs_out_is_not_missed(gateway: Gateway, beating: Beating) -> None:
    old = holder(gateway, beating)
    spare(gateway, beating)
    assert allow(gateway)["ok"]
    del beating.words[old]
    old.send("O")
    time.sleep(1.5 * SILENCE_MS / 1000)
    assert automatic(gateway)["takeovers"] == 0 and pages(gateway) == []


@pytest.mark.engine
def test_a_holder_that_never_beats_is_missed_at_the_end_of_its_stream_only(
    gateway: Gateway, beating: Beating
) -> None:
    old, new = ready_engine(gateway.port, 1, "a"), spare(gateway, beating)
    assert allow(gateway)["ok"]
    time.sleep(1.5 * SILENCE_MS / 1000)
    assert automatic(gateway)["takeovers"] == 0
    old.close()
    assert fenced_in(new) == 2


@pytest.mark.engine
def test_a_grace_lets_the_holder_come_back(
    program: Path, venue: VenuePeer, tmp_path: Path, beating: Beating
) -> None:
    config = write_config(tmp_path, venue.port, beat_ms=BEAT_MS, end_grace_ms=800, epochs="even")
    gateway = Gateway(program, config, "--test").start()
    try:
        gateway.wait_ready()
        assert gateway.verb("fence", epoch=2, holder="a", approved=[])["ok"]
        peer, new = ready_engine(gateway.port, 2, "a"), spare(gateway, beating, next_feed=1)
        assert allow(gateway, epoch_seen=2)["ok"]
        peer.close()
        back = ready_engine(gateway.port, 2, "a")
        time.sleep(1.0)
        assert automatic(gateway)["takeovers"] == 0
        back.close()
        assert fenced_in(new) == 4, "an epoch of this gateway's own residue"
    finally:
        gateway.kill()


def test_orders_that_the_venue_took_put_a_floor_below_every_later_claim(
    gateway: Gateway, venue: VenuePeer, program: Path, tmp_path: Path
) -> None:
    engine = ready_engine(gateway.port, 1, "a")
    assert gateway.verb("fence", epoch=7, holder="a", approved=[])["ok"]
    engine = ready_engine(gateway.port, 7, "a")
    engine.order(1)
    assert venue.wait_for("accepted", 1)
    other = tmp_path / "other"
    other.mkdir()
    later = Gateway(program, write_config(other, venue.port, name="gw-2"), "--test").start()
    try:
        later.wait_ready()
        assert later.verb("status")["epoch"]["highest"] == 7
        with pytest.raises(ConnectionError, match="stale_epoch"):
            ready_engine(later.port, 6, "a")
    finally:
        later.kill()
