"""What passes through the gateway passes unchanged; what is refused is refused one by one and logged."""

from __future__ import annotations

import struct
from pathlib import Path

from engine.contract.link import clordid
from tests.support.engine.engine_peer import (
    EnginePeer,
    cancel_bytes,
    order_bytes,
    ready_engine,
    replace_bytes,
)
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .venue_peer import VenuePeer

LINE_KEYS = [
    "v",
    "t_ns",
    "seq",
    "event",
    "session",
    "link",
    "party",
    "epoch",
    "urn",
    "type",
    "clordid",
    "code",
    "reason",
]


def test_messages_reach_the_venue_byte_for_byte(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    messages = [
        order_bytes(1, clordid(1, 1)),
        order_bytes(2, clordid(1, 2), symbol="ZVZZT", side="T")[:-2] + b"\0\x03\x02\x12\x07",  # one option
        replace_bytes(1, 3, clordid(1, 3)),
        cancel_bytes(2),
        b"Q",
    ]
    venue.received.clear()
    for message in messages:
        engine.send("U", message)
    until(lambda: len(venue.received) >= sum(len(message) + 2 for message in messages))
    assert bytes(venue.received) == b"".join(
        struct.pack(">H", len(message)) + message for message in messages
    )


def test_responses_reach_the_engine_byte_for_byte_and_replay_from_any_number(
    gateway: Gateway, venue: VenuePeer
) -> None:
    engine = ready_engine(gateway.port, 1)
    for sequence in range(1, 6):
        engine.order(sequence)
    until(lambda: len(venue.stream) == 6)
    first = len(venue.stream) - 4
    engine.until(lambda: len(engine.responses) == 5)
    assert engine.responses == venue.stream[1:]
    late = EnginePeer(gateway.port)
    late.hello()
    late.claim(1)
    assert late.login(first) == "A"
    late.until(lambda: len(late.responses) == 5)
    assert late.responses == venue.stream[first - 1 :]


def test_a_sequence_that_is_not_there_yet_and_a_wrong_password_are_refused(gateway: Gateway) -> None:
    for arguments, answer in (
        ({"sequence": 99}, "JS"),
        ({"password": "wrong"}, "JA"),
        ({"user": "nobody"}, "JA"),
    ):
        engine = EnginePeer(gateway.port)
        engine.hello()
        engine.claim(1)
        assert engine.login(**arguments) == answer


def test_a_refusal_names_its_number_and_does_not_close(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    engine.order(1, urn=5)
    engine.order(2, urn=5)
    assert engine.wait_refusal("urn_not_rising")["urn"] == 5
    engine.order(3, urn=6, epoch=2)
    assert engine.wait_refusal("clordid_epoch")["urn"] == 6
    engine.order(4, urn=6)
    assert venue.wait_for("accepted", 6)
    assert [seen.urn for seen in venue.accepted()] == [5, 6]


def test_broken_conversations_are_closed(gateway: Gateway, venue: VenuePeer) -> None:
    order = order_bytes(1, clordid(1, 1))
    before = len(venue.log)
    for words, code in (
        ([("U", order)], "protocol"),
        ([("h", b"not json")], "protocol"),
        ([("h", b"[" * 8000)], "protocol"),
        ([("c", b"\0" * 8)], "protocol"),
        (
            [("h", b'{"contract":"1.0.0","slot":"a","egress":"test","ticket":null}'), ("U", order)],
            "claim_missing",
        ),
        ([("h", b'{"contract":"9.0.0","slot":"a","egress":"test","ticket":null}')], "contract_version"),
        ([("h", b'{"contract":"1.0.0","slot":"zz","egress":"test","ticket":null}')], "slot_unknown"),
    ):
        engine = EnginePeer(gateway.port)
        for letter, payload in words:
            engine.send(letter, payload)
        engine.wait_refusal(code)
        engine.until(lambda peer=engine: peer.is_closed)  # type: ignore[misc]
    assert len(venue.log) == before


def test_malformed_orders_close_and_reach_nobody(gateway: Gateway, venue: VenuePeer) -> None:
    before = len(venue.log)
    for message in (b"O" + bytes(10), order_bytes(1, clordid(1, 1)) + b"tail", cancel_bytes(1) + b"\0"):
        engine = ready_engine(gateway.port, 1)
        engine.send("U", message)
        engine.wait_refusal("malformed")
    engine = ready_engine(gateway.port, 1)
    engine.send("U", b"C" + bytes(18))  # mass cancel: not in this profile
    engine.wait_refusal("type_unknown")
    assert len(venue.log) == before


def test_a_second_claim_closes(gateway: Gateway) -> None:
    engine = ready_engine(gateway.port, 1)
    engine.send("c", struct.pack(">Q", 1))
    engine.wait_refusal("claim_twice")


def test_the_newest_connection_owns_the_session_and_a_stale_one_cannot_take_it(gateway: Gateway) -> None:
    old = ready_engine(gateway.port, 1)
    waiting = EnginePeer(gateway.port)
    waiting.hello()
    waiting.claim(1)
    new = ready_engine(gateway.port, 2)
    old.wait_refusal("superseded")
    assert waiting.login() == "x"
    assert waiting.refusals[0]["code"] == "stale_epoch"
    assert not new.refusals and new.pump(0.05)


def test_unanswered_intents_may_be_sent_again_and_trade_once(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    venue.set_reading(False)
    numbers = [engine.order(sequence) for sequence in range(1, 4)]
    until(lambda: gateway.verb("status")["accounts"]["ACC1"]["last_urn"] == 3)
    engine.close()
    again = ready_engine(gateway.port, 1)
    for urn, order_id in numbers:
        again.send("U", order_bytes(urn, order_id))
    again.order(4)
    venue.set_reading(True)
    assert venue.wait_for("accepted", 4)
    assert [seen.urn for seen in venue.accepted()] == [1, 2, 3, 4]
    late = ready_engine(gateway.port, 1)
    late.order(5, urn=3)
    late.wait_refusal("urn_not_rising")


def test_a_venue_that_does_not_read_holds_orders_at_the_gate_and_a_fence_refuses_them(
    gateway: Gateway, venue: VenuePeer
) -> None:
    engine = ready_engine(gateway.port, 1)
    venue.set_reading(False)
    engine.socket.settimeout(0.5)
    sequence, blob = 0, b""
    try:
        while True:
            packets = []
            for _ in range(2000):
                sequence += 1
                message = order_bytes(sequence, clordid(1, sequence))
                packets.append(struct.pack(">H", len(message) + 1) + b"U" + message)
            blob = b"".join(packets)
            engine.socket.sendall(blob)
    except TimeoutError:
        pass
    until(lambda: any(line["event"] == "not_sent" for line in gateway.lines("messages")))
    answer = gateway.fence(2)
    last_urn = answer["accounts"]["ACC1"]["last_urn"]
    assert answer["ok"] and last_urn < sequence
    venue.set_reading(True)
    newer = ready_engine(gateway.port, 2)
    newer.order(sequence + 1, urn=sequence + 1)
    assert venue.wait_for("accepted", sequence + 1, timeout_s=60)
    stale = [seen.urn for seen in venue.accepted() if seen.clordid.startswith("00001")]
    assert max(stale) == last_urn


def test_every_log_line_has_the_same_keys_and_one_sequence(gateway: Gateway) -> None:
    engine = ready_engine(gateway.port, 1)
    engine.order(1)
    engine.order(2, urn=1)
    engine.wait_refusal("urn_not_rising")
    gateway.kill()
    lines = gateway.lines("messages") + gateway.lines("refusals")
    assert {tuple(line) for line in lines} == {tuple(LINE_KEYS)}
    assert sorted(line["seq"] for line in lines) == list(range(1, len(lines) + 1))
    refused = gateway.lines("refusals")[0]
    assert (refused["urn"], refused["epoch"], refused["code"]) == (1, 1, "urn_not_rising")


def test_a_lost_venue_session_closes_the_engine_and_comes_back(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    engine.order(1)
    assert venue.wait_for("accepted", 1)
    venue.drop_clients()
    engine.wait_refusal("venue_down")
    again = ready_engine(gateway.port, 1)
    assert again.next_urn == 2
    again.order(2)
    assert venue.wait_for("accepted", 2)


def test_both_sides_hear_heartbeats_and_silence_ends_a_connection(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    config = write_config(tmp_path, venue.port, heartbeat_ms=50, silence_ms=600)
    gateway = Gateway(program, config, "--test").start()
    try:
        gateway.wait_ready()
        engine = ready_engine(gateway.port, 1)
        assert engine.expect("H") == b""
        engine.until(lambda: engine.is_closed)
    finally:
        gateway.kill()


def test_the_hop_is_measured_in_both_directions(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    for sequence in range(1, 51):
        engine.order(sequence)
    assert venue.wait_for("accepted", 50)
    engine.until(lambda: len(engine.responses) == 50)
    hop = gateway.verb("status")["hop"]
    for direction in ("to_venue", "to_engine"):
        assert hop[direction]["count"] == 50 == sum(count for _, count in hop[direction]["buckets"])
        assert 0 < hop[direction]["p50_ns"] <= hop[direction]["p99_ns"] <= hop[direction]["max_ns"]
