"""Whoever is not admitted takes nothing that an engine needs: no place, no line of the log, no login."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engine.contract.link import frame
from tests.support.engine.engine_peer import EnginePeer, ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.strangers import flood, silent
from tests.support.waiting import until

from .venue_peer import VenuePeer

STRANGERS = 300
PLACES_OF_A_PEER, PLACES_OF_ALL = 24, 96
HELLO = {"contract": "1.0.0", "slot": "s" * 4000, "egress": "test", "ticket": None}


def strangers(gateway: Gateway) -> int:
    links = gateway.verb("sessions")["links"]
    return sum(link["phase"] in ("hello", "verifying") for link in links)


def test_a_connection_that_says_nothing_is_gone_in_time_and_heartbeats_do_not_keep_it(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    gateway = Gateway(program, write_config(tmp_path, venue.port, hello_ms=300), "--test").start()
    try:
        quiet, talkative = EnginePeer(gateway.port), EnginePeer(gateway.port)
        end = time.monotonic() + 10
        while not talkative.is_closed and time.monotonic() < end:
            talkative.send("R")
            talkative.pump(0.02)
        quiet.until(lambda: quiet.is_closed)
        for peer in (quiet, talkative):
            assert [refusal["code"] for refusal in peer.refusals] == ["hello_late"]
        admitted = EnginePeer(gateway.port)
        admitted.hello()
        time.sleep(0.6)
        admitted.send("R")
        assert admitted.pump(0.05) and not admitted.refusals, "who was admitted may wait"
    finally:
        gateway.kill()


def test_silent_connections_take_the_places_of_their_own_address_and_an_engine_comes_in(
    gateway: Gateway, venue: VenuePeer
) -> None:
    trading = ready_engine(gateway.port, 1, slot="b")
    with silent(("127.0.0.1", gateway.port), STRANGERS, ("127.0.0.3", "127.0.0.4")):
        until(lambda: strangers(gateway) <= 2 * PLACES_OF_A_PEER)
        trading.order(1)
        assert venue.wait_for("accepted", 1)
        for epoch in range(2, 7):
            engine = ready_engine(gateway.port, epoch)
            urn, _ = engine.order(1)
            assert venue.wait_for("accepted", urn)


def test_a_flood_of_refused_hellos_fills_no_log_and_the_engine_trades_on(
    gateway: Gateway, venue: VenuePeer
) -> None:
    engine = ready_engine(gateway.port, 1)
    began = time.monotonic()
    with flood(("127.0.0.1", gateway.port), frame("h", json.dumps(HELLO).encode())) as counts:
        sequence = 0
        while time.monotonic() < began + 3:
            sequence += 1
            urn, _ = engine.order(sequence)
            assert venue.wait_for("accepted", urn, timeout_s=5)
    seconds = time.monotonic() - began
    until(lambda: any(line["code"] == "strangers" for line in gateway.lines("refusals")))
    lines = gateway.lines("refusals")
    assert sum(counts) > 2 * len(lines), "most of them are only counted"
    assert len(lines) < 60 + 12 * (seconds + 1)
    assert max(len(json.dumps(line)) for line in lines) < 400, "and each is short"
    told = sum(int(line["reason"].split()[0]) for line in lines if line["code"] == "strangers")
    assert told > 0
    assert [line for line in gateway.lines("messages") if line["event"] == "close"] == []
    assert engine.refusals == []


def test_a_rejected_login_is_tried_again_ever_later(program: Path, venue: VenuePeer, tmp_path: Path) -> None:
    venue.rejecting = b"A"
    gateway = Gateway(program, write_config(tmp_path, venue.port), "--test").start()
    try:
        time.sleep(3.5)
        account = gateway.verb("status")["accounts"]["ACC1"]
        assert venue.logins in (2, 3), "now, a second later, two more seconds later"
        assert account["logins_rejected"] == venue.logins
        down = [line["reason"] for line in gateway.lines("messages") if line["event"] == "venue_down"]
        assert "rejected the login (A), 1 in a row; next in 1000 ms" in down[0]
        venue.rejecting = b""
        assert gateway.verb("activate")["ok"]
        assert gateway.wait_ready()["accounts"]["ACC1"]["logins_rejected"] == 0, "an operator need not wait"
    finally:
        gateway.kill()


@pytest.mark.parametrize("slot", ["a", "zz"])
def test_connections_of_many_addresses_leave_the_admitted_their_places(
    gateway: Gateway, venue: VenuePeer, slot: str
) -> None:
    sources = tuple(f"127.0.1.{1 + number}" for number in range(130))
    with silent(("127.0.0.1", gateway.port), len(sources), sources):
        until(lambda: strangers(gateway) <= PLACES_OF_ALL)
        if slot == "a":
            assert ready_engine(gateway.port, 3).order(1)
            assert venue.wait_for("accepted", 1)
        else:
            stranger = EnginePeer(gateway.port)
            assert stranger.hello(slot=slot)["code"] == "slot_unknown"
