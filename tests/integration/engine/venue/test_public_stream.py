"""The public stream as outside decoders read it: complete, recoverable, and the book of the venue."""

from __future__ import annotations

import datetime
import gzip
import json
import random
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from itch.parser import MessageParser
from meatpy.itch50 import ITCH50MarketProcessor
from meatpy.itch50.itch50_market_message import ITCH50MarketMessage

from tests.cases.data import DATA, missing
from tests.support.engine.venue import Client, Listener, VenueRig, blocks, cancel, enter, replace
from tests.support.waiting import until

CAPTURES = DATA / "itch"
REAL_BURST = CAPTURES / "nasdaq_20191230_open_burst.itch50"
ZERO_PREFIXED = CAPTURES / "ritch_synthetic_day.itch50.gz"
SYNTHETIC = {"kind": "synthetic", "live": 300, "messages": 3000, "messages_per_s": 30_000, "mix": "burst"}


def needs_captures() -> None:
    for path in (REAL_BURST, ZERO_PREFIXED):
        if not path.exists():
            pytest.skip(missing(path))


def whole_stream(venue: VenueRig, line: str = "A") -> list[bytes]:
    """Every message published so far, in order; fails when one is missing."""
    until(lambda: venue.admin("status")["source_done"], "the end of the source")
    last = venue.admin("status")["next_sequence"] - 1
    found = venue.lines[line].through(last)
    assert sorted(found) == list(range(1, last + 1))
    return [found[sequence] for sequence in range(1, last + 1)]


def prefixed(messages: list[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(message)) + message for message in messages)


def outside_books(messages: list[bytes], symbols: list[str]) -> dict[str, Any]:
    """The books that meatpy builds from the stream, in the shape of the venue's dump."""
    books: dict[str, Any] = {}
    day = datetime.datetime(2026, 1, 5)
    for symbol in symbols:
        processor = ITCH50MarketProcessor(symbol, day)
        for message in messages:
            if message[:1] in b"AFEXDU":
                processor.process_message(ITCH50MarketMessage.from_bytes(message))
        lob = processor.current_lob
        sides = (lob.bid_levels, lob.ask_levels) if lob is not None else ([], [])
        books[symbol] = [
            [[level.price, [[order.order_id, order.volume] for order in level.queue]] for level in side]
            for side in sides
        ]
    return books


def dumped_books(venue: VenueRig, symbols: list[str]) -> dict[str, Any]:
    dump = venue.admin("book_dump", symbols=symbols)
    return {book["symbol"]: [book["bids"], book["asks"]] for book in dump["books"]}


def test_outside_decoder_reads_every_message_of_a_synthetic_market(
    make_venue: Callable[..., VenueRig],
) -> None:
    venue = make_venue(symbols=200, source=SYNTHETIC, accounts=[])
    stream = whole_stream(venue)
    decoded = list(MessageParser().parse_stream(prefixed(stream)))
    assert len(decoded) == len(stream) >= 3000
    assert [message.message_type for message in decoded] == [message[:1] for message in stream]
    counts = Counter(message.message_type for message in decoded)
    assert counts[b"R"] == counts[b"H"] == 200
    assert min(counts[kind] for kind in (b"A", b"F", b"E", b"X", b"D", b"U")) > 0


def test_book_that_meatpy_rebuilds_equals_the_venues_dump_order_by_order(
    make_venue: Callable[..., VenueRig],
) -> None:
    symbols = ["S0000", "S0001", "S0002"]
    venue = make_venue(symbols=3, source=SYNTHETIC | {"messages": 2000})
    keep, draw = venue.client("KEEP"), random.Random(4)
    price = dict.fromkeys(symbols, 0)
    for urn in range(1, 120):
        symbol = draw.choice(symbols)
        dump = dumped_books(venue, [symbol])[symbol] if not price[symbol] else None
        if dump and dump[0]:
            price[symbol] = dump[0][0][0]
        at = (price[symbol] or 100_0000) + 100 * draw.randint(-6, 6)
        keep.send(enter(urn, draw.choice("BS"), draw.randint(1, 900), symbol, at))
        if urn % 4 == 0:
            keep.send(cancel(urn - 1, draw.choice([0, 5])))
    keep.send(b"Q")
    while (answer := keep.receive()) is not None and answer[:1] != b"Q":
        pass
    stream = whole_stream(venue)
    ours, theirs = dumped_books(venue, symbols), outside_books(stream, symbols)
    assert sum(len(side) for book in ours.values() for side in book) > 20
    assert any(message[:1] == b"E" for message in stream)
    assert theirs == ours


def test_book_stays_equal_while_an_account_trades_replaces_and_cancels(venue: VenueRig) -> None:
    """Equality again and again, on one book that crosses often."""
    draw = random.Random(11)
    urns: dict[Client, list[int]] = {venue.client(user): [0] for user in ("KEEP", "BOB")}
    for urn in range(1, 201):
        who = draw.choice(list(urns))
        price, recent = 100_0000 + 100 * draw.randint(0, 12), draw.choice(urns[who][-4:])
        message = draw.choice(
            [
                enter(urn, draw.choice("BS"), draw.randint(1, 300), "AAA", price),
                replace(recent, urn, draw.randint(1, 500), price),
                cancel(recent, draw.choice([0, 40])),
            ]
        )
        if message[:1] != b"X":
            urns[who].append(urn)
        who.send(message, b"Q")
        while (answer := who.receive()) is not None and answer[:1] != b"Q":
            pass
        if urn % 10 == 0:
            stream = whole_stream(venue)
            assert outside_books(stream, ["AAA"]) == dumped_books(venue, ["AAA"])
    kinds = Counter(message[:1] for message in whole_stream(venue))
    assert kinds[b"E"] > 10 and kinds[b"U"] > 5 and kinds[b"D"] > 5


def test_datagrams_lost_on_both_lines_come_back_by_retransmission(
    make_venue: Callable[..., VenueRig],
) -> None:
    cut = {"drop_from": 20, "drop_count": 5}
    venue = make_venue(symbols=10, source=SYNTHETIC, accounts=[], faults={"A": cut, "B": cut})
    until(lambda: venue.admin("status")["source_done"], "the end of the source")
    last = venue.admin("status")["next_sequence"] - 1
    seen = venue.lines["A"].through(last) | venue.lines["B"].through(last)
    missing = sorted(set(range(1, last + 1)) - set(seen))
    logged = [
        n
        for f in venue.log("fault")
        if f["session"] == "A"
        for n in range(f["first"], f["first"] + f["count"])
    ]
    assert missing == logged
    assert missing
    recovered: dict[int, bytes] = {}
    while want := [n for n in missing if n not in recovered]:
        recovered |= venue.request(want[0], len(want))
    assert sorted(recovered) == missing
    complete = seen | recovered
    stream = [complete[sequence] for sequence in range(1, last + 1)]
    symbols = [f"S000{n}" for n in range(10)]
    assert outside_books(stream, symbols) == dumped_books(venue, symbols)
    asked = until(lambda: venue.log("rerequest"), "the log")
    assert all(line["code"] == "answered" for line in asked)


def test_request_for_what_was_never_sent_or_is_not_kept_any_more_gets_no_answer(
    make_venue: Callable[..., VenueRig],
) -> None:
    venue = make_venue(symbols=10, source=SYNTHETIC, accounts=[], feed={"retain_messages": 100})
    last = len(whole_stream(venue))
    assert sorted(venue.request(last - 9, 10)) == list(range(last - 9, last + 1))
    for first in (1, last + 50):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.support.engine.venue.PATIENCE_S", 0.2)
            with pytest.raises(TimeoutError):
                venue.request(first, 5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_on_a_line_are_exactly_those_in_the_log(
    make_venue: Callable[..., VenueRig], seed: int
) -> None:
    plan = {"loss": 0.05, "duplicate": 0.05, "reorder": 0.05, "reorder_depth": 3, "seed": seed}
    venue = make_venue(symbols=10, source=SYNTHETIC, accounts=[], faults={"B": plan})
    whole_stream(venue)
    clean = [d for d in venue.lines["A"].drain() if blocks(d)]
    until(lambda: venue.admin("status")["datagrams"] == len(clean), "line A")
    time.sleep(0.1)  # held datagrams are let go when the line falls idle
    hit = [d for d in venue.lines["B"].drain() if blocks(d)]
    faults = {kind: [f["datagram"] - 1 for f in venue.log("fault") if f["code"] == kind] for kind in
              ("loss", "duplicate", "reorder")}  # fmt: skip
    assert all(line["session"] == "B" for line in venue.log("fault"))
    assert min(len(found) for found in faults.values()) > 2
    assert Counter(hit) == Counter(clean) - Counter(clean[i] for i in faults["loss"]) + Counter(
        clean[i] for i in faults["duplicate"]
    )
    place = {datagram: index for index, datagram in enumerate(clean)}
    order = [place[datagram] for datagram in hit]
    late, highest = set(), -1
    for index in order:
        if index < highest:
            late.add(index)
        highest = max(highest, index)
    assert late <= set(faults["reorder"])
    assert len(late) >= len(faults["reorder"]) - 3, (
        "only the last few may have had nobody left to overtake them"
    )


def test_same_seed_gives_the_same_market_but_for_its_clock(make_venue: Callable[..., VenueRig]) -> None:
    def without_time(venue: VenueRig) -> list[bytes]:
        return [message[:5] + message[11:] for message in whole_stream(venue)]

    first, second, third = (
        without_time(make_venue(symbols=10, accounts=[], source=SYNTHETIC | {"seed": seed}))
        for seed in (5, 5, 6)
    )
    assert first == second != third


def test_references_are_not_dense(make_venue: Callable[..., VenueRig]) -> None:
    for kind in ("gapped", "hashed"):
        venue = make_venue(symbols=10, accounts=[], references=kind, source=SYNTHETIC | {"messages": 500})
        refs = [struct.unpack_from(">Q", m, 11)[0] for m in whole_stream(venue) if m[:1] in b"AF"]
        assert len(set(refs)) == len(refs)
        assert max(refs) - min(refs) > 5 * len(refs)
        assert (refs == sorted(refs)) == (kind == "gapped")


def test_real_burst_is_replayed_byte_for_byte_on_both_lines(make_venue: Callable[..., VenueRig]) -> None:
    needs_captures()
    source = {"kind": "capture", "path": str(REAL_BURST), "speed": 1}
    venue = make_venue(symbols=[], accounts=[], source=source)
    for line in ("A", "B"):
        assert prefixed(whole_stream(venue, line)[3:]) == REAL_BURST.read_bytes()


def test_capture_with_zero_length_prefixes_is_replayed_by_type(
    make_venue: Callable[..., VenueRig], tmp_path: Path
) -> None:
    needs_captures()
    raw = gzip.decompress(ZERO_PREFIXED.read_bytes())
    assert raw[:2] == b"\0\0"
    (tmp_path / "day.itch50").write_bytes(raw)
    # As fast as it goes would overrun this test's socket: 12,012 messages in datagrams of 1,400 bytes.
    source = {
        "kind": "capture",
        "path": str(tmp_path / "day.itch50"),
        "speed": 1e6,
        "window_us": 10_000_000_000,
    }
    venue = make_venue(symbols=[], accounts=[], source=source)
    stream = whole_stream(venue)[3:]
    assert b"".join(b"\0\0" + message for message in stream) == raw
    assert Counter(message[:1] for message in stream)[b"A"] == 4997


@pytest.mark.parametrize("speed", [1, 2, 8])
def test_replay_is_never_ahead_of_its_schedule_and_ends(
    make_venue: Callable[..., VenueRig], native: Path, tmp_path: Path, speed: int
) -> None:
    capture = tmp_path / "made.itch50"
    argv: list[str | Path] = [
        native / "bin" / "hft-venue",
        "--generate",
        capture,
        "--messages",
        "600",
        "--symbols",
        "5",
    ]
    subprocess.run(argv, check=True, capture_output=True)
    raw = bytearray(capture.read_bytes())
    times, at, count = [], 0, 0
    while at < len(raw):  # spread over 0.4 s: the generator's own spacing is 1 us
        at += 2 + struct.unpack_from(">H", raw, at)[0]
        count += 1
    at = 0
    for index in range(count):
        stamp = 34_200_000_000_000 + index * 400_000_000 // count
        raw[at + 7 : at + 13] = stamp.to_bytes(6, "big")
        times.append(stamp)
        at += 2 + struct.unpack_from(">H", raw, at)[0]
    capture.write_bytes(raw)
    source = {"kind": "capture", "path": str(capture), "speed": speed, "autostart": False}
    venue = make_venue(symbols=[], accounts=[], source=source)
    began = time.monotonic()
    assert venue.admin("start")["ok"]
    stream = whole_stream(venue)
    took = time.monotonic() - began
    span = (times[-1] - times[0]) / 1e9
    assert prefixed(stream[3:]) == bytes(raw)
    assert took >= span / speed - 0.02


def test_broken_capture_is_a_configuration_error_that_says_where(native: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.itch50").write_bytes(b"\0\x0cS" + b"\0" * 5)
    (tmp_path / "venue.json").write_text(
        json.dumps({"source": {"kind": "capture", "path": str(tmp_path / "cut.itch50")}})
    )
    argv: list[str | Path] = [native / "bin" / "hft-venue", "--config", tmp_path / "venue.json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "cut inside a message at byte 0" in done.stderr


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ('{"sesion":"X"}', "venue.sesion: unknown key"),
        ('{"feed":{"lines":[{"name":"A","targets":["nowhere"]}]}}', "venue.feed.lines[0].targets"),
        ('{"feed":{"lines":[{"name":"A","faults":{"loss":0.9,"reorder":0.2}}]}}', "add up to 1"),
        ('{"first_locate":0}', "venue.first_locate"),
        ("{", "not JSON"),
    ],
)
def test_wrong_configuration_is_named_and_exits_64(
    native: Path, tmp_path: Path, config: str, complaint: str
) -> None:
    (tmp_path / "venue.json").write_text(config)
    argv: list[str | Path] = [native / "bin" / "hft-venue", "--config", tmp_path / "venue.json", "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, complaint in done.stderr) == (64, True), done.stderr


def test_heartbeats_name_the_next_message_and_the_end_is_repeated(venue: VenueRig) -> None:
    line = venue.lines["A"]
    last = venue.admin("status")["next_sequence"]
    until(lambda: [d for d in line.drain() if d[10:] == struct.pack(">QH", last, 0)], "a heartbeat")
    assert venue.admin("end")["next_sequence"] == last + 3  # the three closing system events
    ends = until(
        lambda: (e := [d for d in line.drain() if d[18:] == b"\xff\xff"]) and len(e) > 1 and e, "the end"
    )
    assert all(end[10:18] == struct.pack(">Q", last + 3) for end in ends)


def test_lines_reach_multicast_groups_and_a_dump_to_a_file_holds_every_book(
    make_venue: Callable[..., VenueRig], tmp_path: Path
) -> None:
    group = "239.77.1.9"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.bind((group, 0))
        card = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, card)
        member.setblocking(False)
        heard = Listener(member, host=group)
        venue = make_venue(
            symbols=20, source=SYNTHETIC | {"messages": 800}, accounts=[], extra_lines={"M": heard}
        )
        stream = whole_stream(venue)
        assert list(heard.through(len(stream)).values()) == stream
    assert venue.admin("book_dump", path=str(tmp_path / "books.jsonl"))["books"] == 20
    books = [json.loads(line) for line in (tmp_path / "books.jsonl").read_text().splitlines()]
    symbols = [book["symbol"] for book in books]
    assert {b["symbol"]: [b["bids"], b["asks"]] for b in books} == outside_books(stream, symbols)
