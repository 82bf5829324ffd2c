"""Bytes of the wire: SoupBinTCP frames, OUCH 5.0, MoldUDP64 and the ITCH 5.0 messages that move a book."""

from __future__ import annotations

import struct
from typing import NamedTuple

from engine.independent.mutants import broken

_MOLD = struct.Struct(">10sQH")
_ENTER = struct.Struct(">cIcI8sQccccc14sH")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def frame(letter: str, payload: bytes = b"") -> bytes:
    """One SoupBinTCP packet."""
    return struct.pack(">Hc", len(payload) + 1, letter.encode()) + payload


class BrokenStreamError(ValueError):
    """What came is no SoupBinTCP packet, and nothing behind it can be found any more."""


def take_frames(buffer: bytearray) -> list[tuple[str, bytes]]:
    """Complete packets from the front of BUFFER; BrokenStreamError for one of length 0."""
    found = []
    while len(buffer) >= 2 and len(buffer) >= 2 + (size := int.from_bytes(buffer[:2], "big")):
        if not size and broken("link.broken"):
            break
        if not size:
            raise BrokenStreamError("a SoupBinTCP packet of length 0")
        found.append((chr(buffer[2]), bytes(buffer[3 : 2 + size])))
        del buffer[: 2 + size]
    return found


def login(user: str, password: str, session: str, sequence: int) -> bytes:
    """SoupBinTCP login request."""
    return frame("L", f"{user:<6}{password:<10}{session:>10}{sequence:>20}".encode())


def base36(value: int, width: int) -> str:
    """VALUE in upper-case base 36."""
    text = ""
    for _ in range(width):
        value, digit = divmod(value, 36)
        text = DIGITS[digit] + text
    return text


def enter(urn: int, wish: tuple[str, int, str, int], clordid: str) -> bytes:
    """OUCH Enter Order: a day order, visible, agency, not eligible for a cross."""
    side, quantity, symbol, price_e4 = wish
    fields = (urn, side.encode(), quantity, symbol.ljust(8).encode(), price_e4)
    return _ENTER.pack(b"O", *fields, b"0", b"Y", b"A", b"N", b"N", clordid.ljust(14).encode(), 0)


def cancel(urn: int, profile: str) -> bytes:
    """OUCH Cancel Order down to zero shares."""
    return struct.pack(">cII", b"X", urn, 0) + (b"" if profile == "ouch5-2023-05" else bytes(2))


class Response(NamedTuple):
    """One event of the venue, with what moves an order or a position here."""

    type: str
    urn: int
    quantity: int = 0
    price_e4: int = 0
    side: str = ""
    symbol: str = ""
    original: int = 0
    live: bool = True


# Every outbound event and its least length, without appendage.
_EVENTS = {
    "S": 10, "A": 62, "U": 66, "C": 18, "D": 32, "E": 34, "B": 36, "J": 29, "P": 13, "I": 13, "T": 30,
    "M": 18, "R": 14, "Q": 13, "X": 25, "G": 17, "K": 17,
}  # fmt: skip


def response(data: bytes) -> Response | None:
    """An event of the venue; None for what is not understood."""
    kind = chr(data[0]) if data else ""
    if len(data) < _EVENTS.get(kind, 1 << 16):
        return None
    urn = int.from_bytes(data[9:13], "big")
    found = Response(kind, urn)
    match kind:
        case "A":
            found = _order(kind, urn, data[13:62])
        case "U":
            found = _order(kind, int.from_bytes(data[13:17], "big"), data[17:66])._replace(original=urn)
        case "E":
            quantity, price_e4 = struct.unpack_from(">IQ", data, 13)
            found = Response(kind, urn, quantity, price_e4)
        case "C" | "D":
            found = Response(kind, urn, int.from_bytes(data[13:17], "big"))
        case "M":
            found = Response(kind, urn, int.from_bytes(data[14:18], "big"))
        case _:
            pass
    return found


def _order(kind: str, urn: int, fields: bytes) -> Response:
    """Side, quantity, symbol, price and whether it lives, as Accepted and Replaced have them."""
    side, quantity, symbol, price_e4 = struct.unpack_from(">cI8sQ", fields)
    shown = "B" if side == b"B" else "S"
    return Response(
        kind, urn, quantity, price_e4, shown, symbol.decode("latin-1").rstrip(), live=fields[34:35] == b"L"
    )


class Packet(NamedTuple):
    """One MoldUDP64 packet."""

    session: bytes
    sequence: int
    messages: list[bytes]
    ended: bool = False  # an end of session


def mold(data: bytes) -> Packet | None:
    """A packet, or None when its lengths do not fit."""
    if len(data) < _MOLD.size:
        return None
    session, sequence, count = _MOLD.unpack_from(data)
    messages, at = [], _MOLD.size
    for _ in range(0 if count == 0xFFFF else count):
        size = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + size > len(data):
            return None
        messages.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return Packet(session, sequence, messages, count == 0xFFFF)


def mold_packet(session: bytes, sequence: int, messages: list[bytes]) -> bytes:
    """A packet with these messages; without any it is a heartbeat."""
    blocks = b"".join(struct.pack(">H", len(message)) + message for message in messages)
    return _MOLD.pack(session, sequence, len(messages)) + blocks


def mold_request(session: bytes, sequence: int, count: int) -> bytes:
    """Re-request COUNT messages from SEQUENCE."""
    return _MOLD.pack(session, sequence, count)
