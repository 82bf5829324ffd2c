"""Bytes that mean nothing, on every socket of the venue: it says so, keeps its book and goes on."""

from __future__ import annotations

import json
import random
import socket
import struct
from collections.abc import Callable

import pytest

from tests.support.engine.venue import VenueRig, cancel, enter, replace
from tests.support.waiting import until


@pytest.mark.parametrize("seed", range(4))
def test_garbage_on_any_socket_neither_stops_the_venue_nor_touches_the_book(
    venue: VenueRig, seed: int
) -> None:
    draw = random.Random(seed)
    keep = venue.client("KEEP")
    keep.send(enter(1, "B", 100, "AAA", 99_0000))
    keep.expect("A")
    before = venue.admin("book_dump", symbols=["AAA", "BBB"])
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", venue.ready["order_port"])) as stranger:
            stranger.sendall(draw.randbytes(draw.randint(1, 200)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _ in range(100):
            asker.sendto(draw.randbytes(draw.randint(0, 60)), ("127.0.0.1", venue.ready["retransmit_port"]))
    for line in (
        b"\n",
        b"[]\n",
        b'"x"\n',
        b"{\n",
        draw.randbytes(50).replace(b"\n", b"") + b"\n",
        b'{"verb":7}\n',
    ):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(venue.admin_path))
            peer.sendall(line)
            assert json.loads(peer.makefile().readline())["ok"] is False
    assert venue.admin("book_dump", symbols=["AAA", "BBB"]) == before
    keep.send(cancel(1))
    keep.expect("C")


@pytest.mark.parametrize("profile", ["ouch5-2023-05", "ouch5-later"])
def test_mangled_orders_are_each_given_exactly_one_verdict(
    make_venue: Callable[..., VenueRig], profile: str
) -> None:
    """Bytes of real messages changed at random; the venue neither stops nor leaves one out."""
    venue, draw = make_venue(profile=profile), random.Random(8)
    keep = venue.client("KEEP")
    seeds = [enter(1, "B", 100, "AAA", 99_0000), replace(1, 2, 50, 99_0000), cancel(1), b"Q", b"M" + bytes(9)]
    count = 400
    for urn in range(1, count + 1):
        message = bytearray(draw.choice(seeds))
        if message[:1] == b"O":
            struct.pack_into(">I", message, 1, urn)
        for _ in range(draw.randint(0, 3)):
            message[draw.randrange(len(message))] = draw.randrange(256)
        keep.send(bytes(message[: draw.choice([len(message), len(message), draw.randint(0, len(message))])]))
    verdicts = ("accepted", "rejected", "ignored", "malformed")
    lines = until(
        lambda: (v := [line for line in venue.log() if line["event"] in verdicts]) and len(v) == count and v,
        "every verdict",
    )
    assert {line["event"] for line in lines} == set(verdicts)
    assert venue.admin("status")["ended"] is False
