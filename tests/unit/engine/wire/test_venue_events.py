"""The venue's events as the independent engine reads them: a closed set, each counted as the venue does."""

from __future__ import annotations

import struct

import pytest

from engine.conformance.ouch import canceled, executed, foreign, replaced
from engine.independent.feed import Feed
from engine.independent.orders import Holdings, Order, apply_response
from engine.independent.risk import Wish
from engine.independent.wire import BrokenStreamError, frame, mold, response, take_frames

# Nasdaq OUCH 5.0, 2 May 2023, and the later text: letter and length without appendage.
EVENTS = {
    "S": 10, "A": 62, "U": 66, "C": 18, "D": 32, "E": 34, "B": 36, "J": 29, "P": 13, "I": 13, "T": 30,
    "M": 18, "R": 14, "Q": 13, "X": 25, "G": 17, "K": 17,
}  # fmt: skip
PROFILE = "ouch5-2023-05"


def applied(orders: dict[int, Order], holdings: Holdings, data: bytes) -> bool:
    found = response(data)
    return found is not None and apply_response(orders, holdings, found)


@pytest.mark.parametrize("letter", [chr(code) for code in range(256)])
def test_every_outbound_event_is_understood_and_nothing_else(letter: str) -> None:
    length = EVENTS.get(letter)
    long = letter.encode("latin-1") + bytes(79)
    assert (response(long) is not None) == (length is not None)
    assert length is None or response(long[: length - 1]) is None
    assert response(b"") is None


def test_a_partial_cancel_leaves_the_rest_open() -> None:
    orders = {1: Order(1, Wish("B", 10, "HFTA", 980_000), 7, b"x")}
    holdings = Holdings()
    assert applied(orders, holdings, canceled(1, 4, 1, PROFILE))
    assert orders[1].left == 6
    assert applied(orders, holdings, executed(1, 5, 980_000, 1, 1))
    assert (orders[1].left, holdings.positions) == (1, {"HFTA": 5})


def test_a_replaced_order_lives_under_its_new_number() -> None:
    orders: dict[int, Order] = {}
    holdings = Holdings()
    for data in (foreign(5, 100, 980_000, 1), replaced(5, 6, 60, 970_000, 2), executed(6, 60, 970_000, 1, 3)):
        assert applied(orders, holdings, data)
    assert {urn: order.left for urn, order in orders.items()} == {5: 0, 6: 0}
    assert holdings.positions == {"HFTA": 60}


def test_what_nobody_can_account_for_is_told() -> None:
    orders = {1: Order(1, Wish("B", 10, "HFTA", 980_000), 7, b"x")}
    assert not applied(orders, Holdings(), executed(9, 1, 980_000, 1, 1))
    assert not applied(orders, Holdings(), b"B" + bytes(11) + b"\1" + bytes(23))
    assert not applied(orders, Holdings(), b"Z" + bytes(60))


def test_a_packet_of_length_zero_is_a_broken_stream() -> None:
    with pytest.raises(BrokenStreamError):
        take_frames(bytearray(b"\0\0" + frame("S", b"x")))
    assert take_frames(bytearray(frame("S", b"x") + b"\0")) == [("S", b"x")]


def datagram(session: bytes, first: int, *messages: bytes) -> bytes:
    blocks = b"".join(struct.pack(">H", len(one)) + one for one in messages)
    return session.ljust(10) + struct.pack(">QH", first, len(messages)) + blocks


def test_another_session_delivers_nothing_and_says_nothing() -> None:
    feed, taken = Feed(), []
    for data in (
        datagram(b"DAY1", 1, b"one", b"two"), datagram(b"OTHER", 3, b"FOREIGN"), b"x",
        datagram(b"DAY1", 3, b"three"),
    ):  # fmt: skip
        found = feed.take(data, "A")
        assert bool(found) == (data[:4] == b"DAY1")
        taken += [message for packet in found if (read := mold(packet)) for message in read.messages]
    assert taken == [b"one", b"two", b"three"]
