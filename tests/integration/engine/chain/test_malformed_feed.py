"""Broken market data into a trading engine: no crash, no changed book, no order without valid data behind it.

Two engines trade the same seeded day, each with a gateway and a venue of its own: one gets the day with
broken bytes in it, the other only what the judge holds valid. They go step by step, so that answers come at
the same place in both; then everything must be equal: orders, and the digest over book, positions and
counters.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.conformance.process import Engine
from tests.support.engine.chain import ASK_E4, BID_E4, Chain
from tests.support.engine.journals import assert_replays

from .mangled import DATAGRAM_WAYS, MESSAGE_WAYS, Datagram, clean_steps, framed, mangled_steps

pytestmark = pytest.mark.engine
SYMBOLS = ["AAA", "BBB", "CCC", "DDD"]
STEPS = 1000
Make = Callable[..., Chain]
STRATEGY = {
    "name": "imbalance",
    "clip": 10,
    "threshold_permille": 100,
    "cooldown_us": 0,
    "order_timeout_ms": 1_000_000,
}
OTHER_SIDE = {"B": "S", "S": "B"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is left of a run."""

    orders: list[tuple[Any, ...]]
    state_digest: str
    next_sequence: int
    rejected: int


class Trading:
    """One chain whose market data comes from the test, datagram by datagram."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.seat = chain, chain.seats["a"]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ports = [chain.net.free_port(socket.SOCK_DGRAM) for _ in "AB"]
        for feed, port in zip(self.seat.config["feeds"], ports, strict=True):
            feed["port"] = port
        self.targets = dict(zip("AB", ((chain.net.engine, port) for port in ports), strict=True))
        # The smallest ring that the contract allows: whatever one datagram holds must still fit.
        self.seat.config |= {"rerequest": None, "strategy": STRATEGY, "ring_bytes": 4096}
        self.seat.limits(serial=2, symbols=SYMBOLS, position_max=1_000)
        self.handled, self.next = 0, 1

    def run(self, steps: list[list[Datagram]], rejected: int) -> Outcome:
        """Every step, and what became of the engine; REJECTED datagrams must be counted as no packets."""
        engine = self.seat.launch()
        engine.wait_up()
        self.step(engine, steps[0])
        assert engine.state() == "SYNCING", "one datagram makes no feed to trade on"
        self.prove(session=steps[0][-1][1][:10])
        engine.wait_state("STANDBY")
        engine.must("promote", epoch=1)
        engine.wait_state("ACTIVE")
        for step in steps[1:]:
            self.step(engine, step)
        self.chain.until(
            lambda: engine.metric("engine_feed_rejected_total") == rejected, "the broken datagrams' count"
        )
        assert engine.metric("engine_feed_gaps_total") == 0
        status, digest = engine.status(), engine.must("digest")["state_digest"]
        orders = [
            tuple(line[name] for name in ("side", "quantity", "symbol", "price")) for line in self.accepted()
        ]
        assert engine.stop() == 0, engine.stderr()
        self.socket.close()
        return Outcome(
            orders=orders,
            state_digest=digest,
            next_sequence=status["feed"]["next_sequence"],
            rejected=rejected,
        )

    def accepted(self) -> list[dict[str, Any]]:
        return [line for line in self.chain.log("accepted") if line["type"] == "O"]

    def step(self, engine: Engine, step: list[Datagram]) -> None:
        """Send it, wait until it is taken in, and give every order that it led to an end."""
        for line, datagram in step:
            self.socket.sendto(datagram, self.targets[line])
        packet = framed(step[-1][1])
        assert packet is not None
        self.next = packet[1] + len(packet[2])
        status = engine.wait_status("the step", lambda status: status["feed"]["next_sequence"] >= self.next)
        if status["open_orders"]:
            self.end_orders(engine, status["open_orders"])

    def prove(self, session: bytes) -> None:
        """Heartbeats, so that the engine has seen enough of the session to trust it."""
        for _ in range(3):
            self.socket.sendto(session + struct.pack(">QH", self.next, 0), self.targets["A"])

    def end_orders(self, engine: Engine, count: int) -> None:
        """BOB takes the other side of what lies between his quotes; the rest is cancelled."""
        self.chain.until(lambda: len(self.accepted()) >= self.handled + count, "the orders at the venue")
        for line in self.accepted()[self.handled :]:
            if BID_E4 < line["price"] < ASK_E4:
                self.chain.trade(
                    "SB"["BS".index(line["side"])], line["quantity"], line["price"], line["symbol"]
                )
            else:
                engine.ask("intent", type="cancel", urn=line["urn"])
            self.handled += 1
        engine.wait_status("no open order", lambda status: status["open_orders"] == 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_judge_rejects_changes_neither_book_nor_orders(
    seed: int, make_chain: Make, native: Path
) -> None:
    mangled, mangler = mangled_steps(seed, SYMBOLS, STEPS)
    clean, judge = clean_steps(mangled)
    broken = Trading(make_chain(slots="a", venue={"symbols": SYMBOLS}))
    seen = broken.run(mangled, judge.rejected["framing"])
    told = broken.seat.engine.last_line()  # type: ignore[union-attr]
    wanted = Trading(make_chain(slots="a", venue={"symbols": SYMBOLS})).run(clean, 0)
    assert seen.orders == wanted.orders
    assert seen.next_sequence == wanted.next_sequence == judge.expected
    assert seen.state_digest == wanted.state_digest
    assert_replays(native, broken.seat.directory / "journal", told)
    print(json.dumps({"orders": len(seen.orders), **judge.rejected, "ways": dict(mangler.done)}))
    assert len(seen.orders) >= 50, "an engine that does not trade proves nothing"
    assert min(judge.rejected[why] for why in ("framing", "message", "not of the stream")) > 30
    assert set(mangler.done) == {*DATAGRAM_WAYS, *MESSAGE_WAYS}, "every way was tried"


def test_one_share_more_in_the_stream_would_have_been_seen(make_chain: Make) -> None:
    """The comparison itself: a valid message changed by one share gives another digest."""
    steps, _ = clean_steps(mangled_steps(3, SYMBOLS, 30)[0])
    other = [*steps[:1], [("A", changed_by_a_share(steps[1][0][1]))], *steps[2:]]
    outcomes = [
        Trading(make_chain(slots="a", venue={"symbols": SYMBOLS})).run(one, 0) for one in (steps, other)
    ]
    assert outcomes[0].next_sequence == outcomes[1].next_sequence
    assert outcomes[0].state_digest != outcomes[1].state_digest


def changed_by_a_share(datagram: bytes) -> bytes:
    """A packet's first Add Order with one share more (ITCH 5.0 section 4.3.1: shares at offset 20)."""
    at = datagram.index(b"\x00\x24A") + 2 + 20
    shares = int.from_bytes(datagram[at : at + 4], "big") + 1
    return datagram[:at] + shares.to_bytes(4, "big") + datagram[at + 4 :]
