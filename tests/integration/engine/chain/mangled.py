"""A seeded market-data stream with broken bytes in it, and the judge that says which part of it is valid.

Framing is judged here, from the text of MoldUDP64 1.00; messages are judged by PyPI `itchfeed`. Nothing is
shared with the engine. What the judge rejects is left out of the clean stream: a whole datagram when its
framing is wrong, one message when only that is unreadable (a System Event, which moves no book, keeps its
sequence number).
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import itch.messages as itchfeed

from engine.conformance.feed import add_order, directory

SESSION, OTHER_SESSION = b"MANGLED001", b"SOMEBODY02"
HEADER = struct.Struct(">10sQH")
END_OF_SESSION = 0xFFFF
NOTHING_HAPPENED = b"S" + bytes(10) + b"Q"  # System Event, start of market hours
MIDDLE_E4, TICK_E4 = 1_000_000, 100
Datagram = tuple[str, bytes]  # line, bytes


def framed(datagram: bytes) -> tuple[bytes, int, list[bytes]] | None:
    """Session, first sequence and messages; None when the bytes are not one whole MoldUDP64 packet."""
    if len(datagram) < HEADER.size:
        return None
    session, sequence, count = HEADER.unpack_from(datagram)
    messages, at = [], HEADER.size
    for _ in range(0 if count == END_OF_SESSION else count):
        if len(datagram) < at + 2:
            return None
        (length,) = struct.unpack_from(">H", datagram, at)
        messages.append(datagram[at + 2 : at + 2 + length])
        at += 2 + length
    if at != len(datagram) or sequence + len(messages) >= 1 << 64:
        return None
    return session, sequence, messages


def readable(message: bytes) -> bool:
    """Whether `itchfeed` can read it."""
    try:
        itchfeed.messages[message[:1]](message)
    except (KeyError, struct.error):
        return False
    return True


def packed(sequence: int, messages: list[bytes], session: bytes = SESSION) -> bytes:
    blocks = b"".join(struct.pack(">H", len(one)) + one for one in messages)
    return HEADER.pack(session, sequence, len(messages)) + blocks


@dataclass(slots=True)
class Judge:
    """Follows the stream as any listener must: the next messages in order, from whoever brings them first."""

    expected: int = 1
    rejected: Counter[str] = field(default_factory=Counter)

    def clean(self, datagram: bytes) -> bytes | None:
        """The valid part of a datagram that carries the stream on; None for every other one."""
        packet = framed(datagram)
        if packet is None:
            self.rejected["framing"] += 1
            return None
        session, sequence, messages = packet
        if session != SESSION or not sequence <= self.expected < sequence + len(messages):
            self.rejected["not of the stream"] += 1
            return None
        kept = [one if readable(one) else NOTHING_HAPPENED for one in messages]
        self.rejected["message"] += sum(one is NOTHING_HAPPENED for one in kept)
        self.expected = sequence + len(messages)
        return packed(sequence, kept)


class Market:
    """Seeded orders around a middle price: adds, deletes, partial cancels, executions, replacements."""

    def __init__(self, dice: random.Random, symbols: list[str]) -> None:
        self.dice = dice
        self.stocks = list(enumerate(symbols, start=1))
        self.live: list[tuple[int, int, str]] = []  # locate, reference, side
        self.reference = 0

    def listing(self) -> list[bytes]:
        return [directory(locate, symbol) for locate, symbol in self.stocks]

    def add(self) -> bytes:
        stock, side = self.dice.choice(self.stocks), self.dice.choice("BS")
        self.reference += 1
        self.live.append((stock[0], self.reference, side))
        return add_order(stock, self.reference, side, 100 * self.dice.randint(1, 20), self.price(side))

    def adopt(self, message: bytes) -> None:
        """An order that changed bytes invented: it will be deleted, or a crossed book would stay crossed."""
        at = {b"A": 11, b"U": 19}.get(message[:1])
        if at is not None and readable(message):
            self.live.append(
                (int.from_bytes(message[1:3], "big"), int.from_bytes(message[at : at + 8], "big"), "B")
            )

    def price(self, side: str) -> int:
        """Never across the middle: the engine takes no touch from a crossed book."""
        away_e4 = TICK_E4 * self.dice.randint(1, 12)
        return MIDDLE_E4 - away_e4 if side == "B" else MIDDLE_E4 + away_e4

    def message(self) -> bytes:
        if len(self.live) < 16 or (len(self.live) < 40 and self.dice.random() < 0.45):
            return self.add()
        index = self.dice.randrange(len(self.live))
        locate, reference, side = self.live[index]
        head = struct.pack(">HHHIQ", locate, 0, 0, 0, reference)
        kind = self.dice.choice("DXEU")
        if kind == "X":
            return b"X" + head + struct.pack(">I", 50)
        if kind == "E":
            return b"E" + head + struct.pack(">IQ", 50, self.dice.getrandbits(32))
        del self.live[index]
        if kind == "D":
            return b"D" + head
        self.reference += 1
        self.live.append((locate, self.reference, side))
        return b"U" + head + struct.pack(">QII", self.reference, 300, self.price(side))


def changed(dice: random.Random, message: bytes) -> bytes:
    """The same type with other content: mostly readable, and then part of the valid stream."""
    data = bytearray(message)
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(1, len(data))] = dice.randrange(256)
    return bytes(data)


def miscounted(dice: random.Random, true: bytes) -> bytes:
    (count,) = struct.unpack_from(">H", true, 18)
    other = dice.choice([n for n in (count + 1, count - 1, 500, 0xFFFE) if n != count])
    return true[:18] + struct.pack(">H", other) + true[20:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a broken datagram is made from: the TRUE one that comes next, its number, and those before it."""

    true: bytes
    expected: int
    past: list[bytes]


def forged_past(dice: random.Random, scene: Scene) -> bytes:
    """Other messages under numbers that are over: whoever took them would hold an order that nobody sent."""
    session, first, messages = framed(dice.choice(scene.past)) or (SESSION, 1, [b""])
    return packed(first, [add_order((1, "AAA"), 7 << 40, "B", 9, 990_000)] * len(messages), session)


def stray_session(dice: random.Random, scene: Scene) -> bytes:
    return packed(scene.expected, [add_order((1, "AAA"), 1, "B", 9, 9)], OTHER_SESSION)


MESSAGE_WAYS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut": lambda dice, message: message[: dice.randrange(len(message))],
    "longer": lambda dice, message: message + dice.randbytes(dice.randint(1, 40)),
    "unknown type": lambda dice, message: dice.choice((b"z", b"\0", b"\xff", b"a")) + message[1:],
    "other type": lambda dice, message: bytes([dice.choice(b"SRHYLVWKJhAFECXDUPQBINO")]) + message[1:],
    "empty": lambda dice, message: b"",
    "changed bytes": changed,
    "noise": lambda dice, message: dice.randbytes(dice.randint(1, 1300)),
}
DATAGRAM_WAYS: dict[str, Callable[[random.Random, Scene], bytes]] = {
    "cut header": lambda dice, scene: scene.true[: dice.randrange(HEADER.size)],
    "cut block": lambda dice, scene: scene.true[: dice.randrange(HEADER.size, len(scene.true))],
    "trailing bytes": lambda dice, scene: scene.true + dice.randbytes(dice.randint(1, 64)),
    "count": lambda dice, scene: miscounted(dice, scene.true),
    "block length": lambda dice, scene: (
        scene.true[:20] + struct.pack(">H", dice.choice((0xFFFF, 2000, 1))) + scene.true[22:]
    ),
    "noise datagram": lambda dice, scene: dice.randbytes(dice.randint(1, 1500)),
    "nothing": lambda dice, scene: b"",
    "huge": lambda dice, scene: scene.true + dice.randbytes(65_000 - len(scene.true)),
    "sequence overflow": lambda dice, scene: (
        scene.true[:10] + struct.pack(">Q", (1 << 64) - 1) + scene.true[18:]
    ),
    "stray session": stray_session,
    "wild sequence": lambda dice, scene: packed(
        scene.expected + dice.randrange(1 << 40, 1 << 60), [NOTHING_HAPPENED]
    ),
    "forged past": forged_past,
    "end in the past": lambda dice, scene: HEADER.pack(SESSION, 1, END_OF_SESSION),
}


class Mangler:
    """Breaks datagrams and messages in seeded ways; `done` counts each way."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.done = dice, Counter[str]()
        self.past: list[bytes] = []

    def message(self, message: bytes) -> bytes:
        """One message, broken or merely changed."""
        way = self.dice.choice(list(MESSAGE_WAYS))
        self.done[way] += 1
        return MESSAGE_WAYS[way](self.dice, message)

    def datagrams(self, count: int, true: bytes, expected: int) -> list[bytes]:
        """So many, each broken in a way of its own: three alike would be believed, as they should be."""
        ways = self.dice.sample(list(DATAGRAM_WAYS), count)
        self.done.update(ways)
        scene = Scene(true=true, expected=expected, past=self.past)
        return [DATAGRAM_WAYS[way](self.dice, scene) for way in ways]


def mangled_steps(seed: int, symbols: list[str], steps: int) -> tuple[list[list[Datagram]], Mangler]:
    """Steps of datagrams; the last of each step carries the stream on, what comes before it must not."""
    dice = random.Random(seed)
    market, mangler = Market(dice, symbols), Mangler(dice)
    sequence, made = 1, []
    for number in range(steps):
        messages = market.listing() if number == 0 else [market.message() for _ in range(dice.randint(1, 6))]
        broken = [mangler.message(one) if number > 0 and dice.random() < 0.1 else one for one in messages]
        for message in broken:
            if message not in messages:
                market.adopt(message)
        true = packed(sequence, broken)
        before = mangler.datagrams(dice.randint(0, 3) if number > 0 else 0, true, sequence)
        step = [(dice.choice("AB"), datagram) for datagram in before]
        made.append([*step, (dice.choice("AB"), true)])
        mangler.past.append(true)
        sequence += len(messages)
    return made, mangler


def clean_steps(steps: list[list[Datagram]]) -> tuple[list[list[Datagram]], Judge]:
    """The same steps with nothing in them but what the judge holds valid, all of it on line A."""
    judge, clean = Judge(), []
    for step in steps:
        valid = [kept for _, datagram in step if (kept := judge.clean(datagram)) is not None]
        assert len(valid) == 1, "a step carries the stream on exactly once"
        clean.append([("A", valid[0])])
    return clean, judge
