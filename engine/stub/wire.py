"""Bytes of the wire: SoupBinTCP frames, OUCH 5.0, MoldUDP64 and the ITCH 5.0 messages that move a book."""

from __future__ import annotations

import struct
from typing import NamedTuple

_MOLD = struct.Struct(">10sQH")
_ENTER = struct.Struct(">cIcI8sQccccc14sH")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def frame(letter: str, payload: bytes = b"") -> bytes:
    """One SoupBinTCP packet."""
    return struct.pack(">Hc", len(payload) + 1, letter.encode()) + payload


def take_frames(buffer: bytearray) -> list[tuple[str, bytes]]:
    """Whole packets from the front of BUFFER."""
    found = []
    while len(buffer) > 2 and len(buffer) >= 2 + (size := int.from_bytes(buffer[:2], "big")) and size:
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
    """The responses this engine acts on: A accepted, E executed, C canceled, J rejected."""

    type: str
    urn: int
    quantity: int
    price_e4: int


def response(data: bytes) -> Response | None:
    """A response, or None for one that changes nothing here."""
    kind, urn = chr(data[0]) if data else "", int.from_bytes(data[9:13], "big")
    if kind == "A" and len(data) >= 64:
        return Response("A", urn, 0, 0)
    if kind == "E" and len(data) >= 36:
        quantity, price_e4 = struct.unpack_from(">IQ", data, 13)
        return Response("E", urn, quantity, price_e4)
    if kind == "C" and len(data) >= 18:
        return Response("C", urn, int.from_bytes(data[13:17], "big"), 0)
    if kind == "J" and len(data) >= 29:
        return Response("J", urn, 0, 0)
    return None


class Packet(NamedTuple):
    """One MoldUDP64 packet."""

    session: bytes
    sequence: int
    messages: list[bytes]


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
    return Packet(session, sequence, messages)


def mold_packet(session: bytes, sequence: int, messages: list[bytes]) -> bytes:
    """A packet with these messages; without any it is a heartbeat."""
    blocks = b"".join(struct.pack(">H", len(message)) + message for message in messages)
    return _MOLD.pack(session, sequence, len(messages)) + blocks


def mold_request(session: bytes, sequence: int, count: int) -> bytes:
    """Ask again for COUNT messages from SEQUENCE."""
    return _MOLD.pack(session, sequence, count)
