"""A day of over a million responses: memory stays flat, and a cold engine gets all of it."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.contract.link import clordid
from tests.support.engine.engine_peer import EnginePeer, ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .venue_peer import VenuePeer, framed

RESPONSES = 1_200_000
GROWTH_KB_MAX = 24_000  # of a gateway that holds no order: less than a third of what the day weighs
BATCH = 20_000
UNREAD = 6000
REFUSED = b"J" + struct.pack(">QIH", 1, 1, 1) + clordid(1, 1).encode()


def resident_kb(gateway: Gateway) -> int:
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_replay_begins_anywhere_and_goes_on_live(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    for sequence in range(1, 3001):
        engine.order(sequence)
    assert venue.wait_for("accepted", 3000)
    until(lambda: gateway.verb("status")["accounts"]["ACC1"]["next_sequence"] == 3002)
    for first in (1, 2, 1024, 1025, 1026, 2049, 3001):
        late = EnginePeer(gateway.port)
        late.hello()
        late.claim(1)
        assert late.login(first) == "A"
        urn, _ = late.order(5000 + first, urn=10_000 + first)
        assert venue.wait_for("accepted", urn)
        wanted = venue.stream[first - 1 :]
        late.until(lambda wanted=wanted, late=late: len(late.responses) == len(wanted))  # type: ignore[misc]
        assert late.responses == wanted
        letters = [letter for letter, _ in late.frames if letter in "Sm"]
        assert letters.count("m") == 1 and letters.index("m") >= 3001 - first


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_memory_is_flat_over_a_million_responses_and_a_cold_engine_gets_every_one(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    gateway = Gateway(program, write_config(tmp_path, venue.port), "--test").start()
    try:
        gateway.wait_ready()
        before = resident_kb(gateway)
        known = len(venue.stream)
        for _ in range(RESPONSES // BATCH):
            with venue.changed:
                venue.stream += [REFUSED] * BATCH
                for connection in venue._connections.values():
                    connection.socket.setblocking(True)
                    connection.socket.sendall(framed(b"S", REFUSED) * BATCH)
        total = known + RESPONSES
        until(
            lambda: gateway.verb("status")["accounts"]["ACC1"]["next_sequence"] == total + 1, patience_s=120
        )
        grown = resident_kb(gateway) - before
        assert grown < GROWTH_KB_MAX, f"{grown} kB more for {RESPONSES} responses"
        engine = EnginePeer(gateway.port)
        engine.hello()
        engine.claim(1)
        engine.send("L", b"eng1  secret    " + b" " * 10 + b"1".rjust(20))
        began, seen = time.monotonic(), 0
        while seen < total:
            assert engine.pump(5), f"cut off after {seen} responses"
            seen += len(engine.responses)
            engine.responses.clear()
            if not any(letter == "m" for letter, _ in engine.frames):
                engine.frames.clear()
        engine.expect("m")
        print(f"{RESPONSES} responses: {grown} kB more, replayed in {time.monotonic() - began:.1f} s")
        assert resident_kb(gateway) - before < GROWTH_KB_MAX
    finally:
        gateway.kill()


def test_a_caller_that_reads_nothing_gets_no_more_and_its_kill_kills(gateway: Gateway) -> None:
    before = resident_kb(gateway)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(gateway.admin))
        link.settimeout(10)
        link.sendall(b'{"verb":"status"}\n' * UNREAD)
        link.sendall(b'{"verb":"latch","scope":"site","reason":"unread"}\n')
        entries = until(lambda: gateway.verb("status")["latch"]["entries"])
        assert [entry["reason"] for entry in entries] == ["unread"]
        assert resident_kb(gateway) - before < 8_000, "the answers that it did not read"
        answers = b""
        while answers.count(b"\n") <= UNREAD:
            answers += link.recv(1 << 20)
        assert answers.count(b'"latch"') and answers.endswith(b"\n"), "all of them when it reads"


def test_only_so_many_callers_are_served_and_a_kill_of_one_of_them_passes(gateway: Gateway) -> None:
    with ExitStack() as stack:
        links = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(80)]
        for link in links:
            link.connect(str(gateway.admin))
        links[0].sendall(b'{"verb":"latch","scope":"site","reason":"first"}\n')
        assert b'"ok":true' in links[0].recv(65536)
        links[-1].settimeout(10)
        assert links[-1].recv(1) == b"", "one too many is closed at once"
