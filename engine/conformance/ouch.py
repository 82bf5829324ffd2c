"""OUCH 5.0 from the venue's side: decoding orders and encoding responses."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ENTER = struct.Struct(">cIcI8sQccccc14sH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """An Enter Order message."""

    urn: int
    side: str
    quantity: int
    symbol: str
    price_e4: int
    clordid: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A Cancel Order message."""

    urn: int
    quantity: int
    data: bytes


def parse(data: bytes) -> Enter | Cancel | None:
    """An order message; None for bytes that are neither an Enter nor a Cancel of a known length."""
    if data[:1] == b"O" and len(data) >= _ENTER.size:
        _, urn, side, quantity, symbol, price, *_, clordid, appendage = _ENTER.unpack_from(data)
        if len(data) != _ENTER.size + appendage:
            return None
        return Enter(
            urn=urn, side=_text(side), quantity=quantity, symbol=_text(symbol).rstrip(), price_e4=price,
            clordid=_text(clordid), data=data,
        )  # fmt: skip
    if data[:1] == b"X" and len(data) in (9, 11):
        urn, quantity = struct.unpack_from(">II", data, 1)
        return Cancel(urn=urn, quantity=quantity, data=data)
    return None


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def accepted(order: Enter, reference: int, now_ns: int) -> bytes:
    """A, 64 bytes."""
    echo = struct.pack(">I", order.urn) + order.data[5:28]
    tail = (
        struct.pack(">Q", reference) + order.data[28:31] + b"L" + order.clordid.encode("latin-1") + bytes(2)
    )
    return b"A" + struct.pack(">Q", now_ns) + echo + tail


def executed(urn: int, quantity: int, price_e4: int, match: int, now_ns: int) -> bytes:
    """E, 36 bytes."""
    return struct.pack(">cQIIQcQH", b"E", now_ns, urn, quantity, price_e4, b"A", match, 0)


def canceled(urn: int, quantity: int, now_ns: int, profile: str) -> bytes:
    """C, 18 or 20 bytes."""
    return struct.pack(">cQIIc", b"C", now_ns, urn, quantity, b"U") + _appendage(profile)


def foreign(urn: int, quantity: int, price_e4: int, now_ns: int) -> bytes:
    """A, 64 bytes: an order to buy HFTA that another process of the account has sent."""
    fields = (urn, b"B", quantity, b"HFTA    ", price_e4, b"0", b"Y", 1, b"P", b"N", b"N", b"L")
    return struct.pack(">cQIcI8sQccQcccc14sH", b"A", now_ns, *fields, b" " * 14, 0)


def replaced(original: int, urn: int, quantity: int, price_e4: int, now_ns: int) -> bytes:
    """U, 68 bytes: the order to buy HFTA has another number, quantity and price."""
    fields = (original, urn, b"B", quantity, b"HFTA    ", price_e4, b"0", b"Y", 2, b"P", b"N", b"N", b"L")
    return struct.pack(">cQIIcI8sQccQcccc14sH", b"U", now_ns, *fields, b" " * 14, 0)


def rejected(order: Enter, reason: int, now_ns: int, profile: str) -> bytes:
    """J, 29 or 31 bytes."""
    head = struct.pack(">cQIH", b"J", now_ns, order.urn, reason)
    return head + order.clordid.encode("latin-1") + _appendage(profile)


def _appendage(profile: str) -> bytes:
    return b"" if profile == "ouch5-2023-05" else bytes(2)
