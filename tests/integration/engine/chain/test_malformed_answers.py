"""Broken answers into a trading engine: no crash, and nothing changes but by answers that can be read.

Two engines do the same seeded day against the suite's observer in the gateway's place. One gets broken
SoupBinTCP packets, refusals and OUCH messages among its answers, the other a clean stream: a sequenced
message that cannot be read becomes a System Event (it still takes its sequence number) and a reduction,
until a person resumes in both; every other one is left out, and where framing broke the line is cut. Orders
and the state digest must then be the same, byte for byte.
"""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.conformance.events import EventLog
from engine.conformance.gateway import Gateway
from engine.conformance.process import Engine
from engine.contract.link import frame
from tests.support.engine.chain import BID_E4, SYMBOL, Chain, buy
from tests.support.engine.engine_peer import PASSWORD, USER
from tests.support.engine.journals import assert_replays

pytestmark = pytest.mark.engine
ACTIONS = 250
WAYS = ("order", "order", "cancel", "answer", "answer", "letter", "refusal", "line")
SYSTEM_EVENT = b"S" + bytes(8) + b"S"
UNKNOWN_LETTERS = "qQ1anchwL+\x00"  # some of the link's own, out of place; + is SoupBinTCP's debug packet
# OUCH 5.0 as of 2023-05: with an appendage length at the end, and without.
WITH_APPENDAGE = {b"A": 62, b"U": 66, b"E": 34}
PLAIN = {b"C": 18, b"J": 29, b"S": 10}
BAD_REFUSALS = (
    b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"code":7}', b'{"code":null,"urn":"1"}', b'{"urn":-1}',
    b'{"urn":1e99}', b'{"urn":18446744073709551615}', b'{"code":["stale_epoch"]}', b'{"detail":{}}',
    b"[" * 8000, b'{"code":"\xc3\x28"}', b'{"code":"' + b"a" * 8000 + b'"}',
)  # fmt: skip


class Answers(Gateway):
    """The observer, which can also say things that no gateway should."""

    def packet(self, letter: str, payload: bytes) -> None:
        self.raw(frame(letter, payload))

    def raw(self, data: bytes) -> None:
        with self._lock, suppress(OSError):
            assert self._session is not None
            self._session.sendall(data)

    def sequenced(self, message: bytes) -> None:
        """A sequenced message; it counts, whatever is in it."""
        with self._lock:
            self._respond(message)


def readable(message: bytes) -> bool | None:
    """Whether these bytes are an OUCH answer; None where only a look into appendages could tell."""
    letter = message[:1]
    if letter in PLAIN and len(message) == PLAIN[letter]:
        return True
    if letter == b"S" or letter not in WITH_APPENDAGE | PLAIN:
        return False
    length = (
        WITH_APPENDAGE.get(letter) or PLAIN[letter]
    )  # the later profile has an appendage behind those too
    if len(message) < length + 2:
        return False
    (appendage,) = struct.unpack_from(">H", message, length)
    fits = len(message) == length + 2 + appendage
    return fits if appendage == 0 or not fits else None


def true_answers(dice: random.Random) -> list[bytes]:
    """One whole message of every kind that the engine reads, about orders that nobody sent."""
    urn = dice.randrange(1 << 24, 1 << 25)
    accepted = struct.pack(
        ">cQIcI8sQccQcccc14sH", b"A", 1, urn, b"B", 10, b"ZZZ     ", 990_000, b"0", b"Y", 9,
        b"P", b"N", b"N", b"L", b"", 0,
    )  # fmt: skip
    return [
        accepted,
        struct.pack(">cQIIQcQH", b"E", 1, urn, 5, 990_000, b"A", 3, 0),
        struct.pack(">cQIIc", b"C", 1, urn, 5, b"U"),
        struct.pack(">cQIH14s", b"J", 1, urn, 1, b""),
        SYSTEM_EVENT,
    ]


def broken_answer(dice: random.Random) -> bytes:
    """A sequenced payload that is certainly no OUCH answer."""
    while True:
        message = dice.choice(true_answers(dice))
        candidate = dice.choice((
            message[: dice.randrange(len(message))],
            message + dice.randbytes(dice.randint(1, 300)),
            dice.choice((b"z", b"\0", b"\xff")) + message[1:],
            dice.randbytes(dice.randint(1, 60)),
            b"",
        ))  # fmt: skip
        if readable(candidate) is False and candidate[:1] not in (b"D", b"B", b"I", b"M", b"P", b"R", b"T"):
            return candidate


class Day:
    """One engine's day; BROKEN says whether it gets what is broken or what the judge leaves of it."""

    def __init__(self, chain: Chain, seed: int, *, broken: bool) -> None:
        self.dice, self.broken, self.log, self.done = random.Random(seed), broken, EventLog(), Counter[str]()
        self.gateway = Answers(chain.net.site, chain.profile, self.log)
        self.seat = chain.seats["a"]
        where = {"host": chain.net.site, "port": self.gateway.port, "user": USER, "password": PASSWORD}
        self.seat.config["gateway"] = where
        self.bought = self.anchor = 0

    def run(self) -> tuple[list[bytes], str]:
        """All orders as they came, and the state that is left."""
        engine = self.seat.active(1)
        self.anchor = engine.must("intent", **buy(50_000, BID_E4))["urn"]
        self.gateway.wait_taken(self.anchor, 20)
        self.sync(engine)
        for _ in range(ACTIONS):
            way = self.dice.choice(
                ("order", "order", "cancel", "answer", "answer", "letter", "refusal", "line")
            )
            self.done[way] += 1
            self.act(engine, way)
            self.sync(engine)
        digest = engine.must("digest")["state_digest"]
        sent = [event.value.data for event in self.log.all("order", "cancel")]
        assert engine.stop() == 0, engine.stderr()
        self.gateway.close()
        return sent, digest

    def act(self, engine: Engine, way: str) -> None:
        dice = self.dice
        match way:
            case "order":
                quantity = dice.randint(1, 50)
                urn = engine.must("intent", **buy(quantity, BID_E4 - 100 * dice.randint(1, 50)))["urn"]
                self.gateway.wait_taken(urn, 20)
                if dice.random() < 0.5:
                    self.gateway.fill(urn, quantity, BID_E4)
                    self.bought += quantity
            case "cancel":
                engine.ask("intent", type="cancel", urn=dice.randint(2, 60))
            case "answer":
                message = broken_answer(dice)
                self.gateway.sequenced(message if self.broken else SYSTEM_EVENT)
                if not self.broken:
                    engine.must("reduce", reason="as what cannot be read does")
                engine.wait_state("REDUCING")
                engine.must("resume", operator="test", reason="looked at the venue")
            case "letter":
                letter, payload = dice.choice(UNKNOWN_LETTERS), dice.randbytes(dice.choice((0, 1, 30, 9_000)))
                if self.broken:
                    self.gateway.packet(letter, payload)
            case "refusal":
                refusal = dice.choice(BAD_REFUSALS)
                if self.broken:
                    self.gateway.packet("x", refusal)
            case _:
                self.break_line(
                    engine, dice.choice((b"\0\0", b"\0\0" + dice.randbytes(500), b"\0\x40S" + b"E" * 9))
                )

    def break_line(self, engine: Engine, data: bytes) -> None:
        """A length of zero has no meaning in SoupBinTCP, nor what is behind it; half a packet is none."""
        logins = len(self.log.all("login"))
        if self.broken:
            self.gateway.raw(data)
        if not self.broken or data[:2] != b"\0\0":
            self.gateway.drop()
        self.log.wait_count("login", logins + 1, 20)
        engine.wait_status("the session again", lambda status: status["connected"])

    def sync(self, engine: Engine) -> None:
        """A share of the standing order is bought: once it is known, everything before it was taken in."""
        self.gateway.fill(self.anchor, 1, BID_E4)
        self.bought += 1
        engine.wait_status("the sign", lambda status: status["positions"].get(SYMBOL) == self.bought)


@pytest.mark.parametrize("seed", [1, 2])
def test_answers_that_cannot_be_read_change_neither_orders_nor_state(
    seed: int, make_chain: Callable[..., Chain], native: Path
) -> None:
    day = Day(make_chain(slots="a"), seed, broken=True)
    sent, digest = day.run()
    assert day.seat.engine is not None
    told = day.seat.engine.last_line()
    clean = Day(make_chain(slots="a"), seed, broken=False)
    assert (sent, digest) == clean.run()
    assert_replays(native, day.seat.directory / "journal", told)
    print(json.dumps({"sent": len(sent), **day.done}))
    assert len(sent) > ACTIONS // 5
    assert min(day.done.values()) > ACTIONS // 20


def test_the_judge_reads_what_is_whole_and_nothing_else() -> None:
    for message in true_answers(random.Random(1)):
        assert readable(message)
        assert not any(readable(message[:size]) for size in range(len(message)))
