"""Order entry as an outside SoupBinTCP client sees it, and as the venue's log tells it."""

from __future__ import annotations

import functools
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine.venue import VenueRig, cancel, enter, replace
from tests.support.waiting import until

LATER = "ouch5-later"


def urn_of(message: bytes) -> int:
    return int(struct.unpack_from(">I", message, 9)[0])


def rejected_for(message: bytes) -> int:
    return int(struct.unpack_from(">H", message, 13)[0])


def test_matching_scenarios_and_invariants_hold(native: Path) -> None:
    done = subprocess.run(
        [native / "tests" / "venue_matching_test"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "[  PASSED  ] 33 tests." in done.stdout


def test_outside_client_enters_trades_and_hears_of_both_ends(venue: VenueRig) -> None:
    alice, bob = venue.client("ALICE"), venue.client("BOB")
    alice.send(enter(1, "S", 100, "AAA", 100_0000))
    (accepted,) = alice.expect("A")
    bob.send(enter(1, "B", 60, "AAA", 100_0500))
    _, bought = bob.expect("AE")
    (sold,) = alice.expect("E")
    assert len(accepted) == 64 and accepted[13:14] == b"S" and accepted[47:48] == b"L"
    for end, liquidity in ((sold, b"A"), (bought, b"R")):
        quantity, price, flag, match = struct.unpack_from(">IQcQ", end, 13)
        assert (quantity, price, flag, match) == (60, 100_0000, liquidity, 1)
    assert len(sold) == 36


@pytest.mark.parametrize(("password", "session"), [("wrong", ""), ("secret", "OTHER")])
def test_wrong_password_and_unknown_session_are_refused(venue: VenueRig, password: str, session: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        venue.client("ALICE", password=password, session=session)
    line = until(lambda: venue.log("login_refused"), "a log line")[0]
    assert line["code"] == ("other_session" if session else "not_authorised")


def test_reconnect_with_requested_sequence_loses_nothing_and_repeats_nothing(venue: VenueRig) -> None:
    keep, bob = venue.client("KEEP", 1), venue.client("BOB")
    keep.send(*(enter(urn, "S", 10, "AAA", 100_0000 + urn) for urn in range(1, 21)))
    before = keep.expect("S" + "A" * 20)
    keep.close()
    bob.send(enter(1, "B", 75, "AAA", 101_0000))
    bob.expect("A" + "E" * 8)
    after = venue.client("KEEP", len(before) + 1)
    more = after.expect("E" * 8)
    assert after.silent()
    assert [urn_of(message) for message in more] == [1, 2, 3, 4, 5, 6, 7, 8]
    after.close()
    whole = venue.client("KEEP", 1)
    assert [whole.receive() for _ in range(29)] == before + more
    assert whole.silent()


def test_sequence_ahead_of_the_stream_is_refused(venue: VenueRig) -> None:
    with pytest.raises(ConnectionRefusedError):
        venue.client("KEEP", 99)
    assert until(lambda: venue.log("login_refused"), "a log line")[0]["code"] == "sequence_ahead"


def test_lost_connection_cancels_the_orders_of_an_account_that_wants_it(venue: VenueRig) -> None:
    alice, keep = venue.client("ALICE"), venue.client("KEEP")
    alice.send(enter(1, "B", 100, "AAA", 99_0000), enter(2, "B", 100, "BBB", 99_0000))
    keep.send(enter(1, "B", 100, "AAA", 98_0000))
    alice.expect("AA")
    keep.expect("A")
    alice.close()
    keep.close()
    until(lambda: venue.admin("status")["live_orders"] == 1, "the cancels")
    again = venue.client("ALICE", 4)
    gone = again.expect("CC")
    assert [(urn_of(message), message[17:18]) for message in gone] == [(1, b"Z"), (2, b"Z")]
    book = venue.admin("book_dump", symbols=["AAA"])["books"][0]
    assert [price for price, _ in book["bids"]] == [98_0000]


def test_number_not_above_the_last_processed_is_ignored_and_the_query_tells_the_next(venue: VenueRig) -> None:
    bob = venue.client("BOB")
    bob.send(enter(7, "B", 10, "AAA", 99_0000), enter(7, "B", 10, "AAA", 99_0000))
    bob.send(enter(3, "B", 10, "AAA", 99_0000), b"Q")
    _, answer = bob.expect("AQ")
    assert urn_of(answer) == 8
    assert bob.silent()
    assert [line["code"] for line in venue.log("ignored")] == ["urn_not_rising"] * 2
    assert venue.admin("status")["live_orders"] == 1


def test_unacknowledged_intents_sent_again_in_order_reach_the_book_exactly_once(venue: VenueRig) -> None:
    keep = venue.client("KEEP")
    intents = [enter(urn, "B", 10, "AAA", 90_0000 + urn) for urn in range(1, 11)]
    keep.send(*intents[:6])
    keep.expect("A" * 6)
    keep.close()
    again = venue.client("KEEP")
    again.send(*intents, enter(11, "B", 10, "AAA", 95_0000))
    assert [urn_of(message) for message in again.expect("A" * 5)] == [7, 8, 9, 10, 11]
    assert venue.admin("status")["live_orders"] == 11


def test_disabled_account_is_refused_may_cancel_and_trades_again_when_enabled(venue: VenueRig) -> None:
    alice = venue.client("ALICE")
    alice.send(enter(1, "B", 100, "AAA", 99_0000))
    alice.expect("A")
    assert venue.admin("disable_account", account="ALICE")["ok"]
    alice.send(enter(2, "B", 100, "AAA", 99_0000), replace(1, 3, 100, 98_0000), cancel(1))
    refused, not_replaced, canceled = alice.expect("JJC")
    assert (rejected_for(refused), rejected_for(not_replaced)) == (0x000C, 0x000C)
    assert urn_of(canceled) == 1
    assert venue.admin("enable_account", account="ALICE")["ok"]
    alice.send(enter(4, "B", 100, "AAA", 99_0000))
    alice.expect("A")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"side": "Z"}, 0x0009), ({"quantity": 0}, 0x0013), ({"quantity": 1_000_000}, 0x0013),
        ({"symbol": "NOPE"}, 0x0017), ({"price": 0}, 0x001D), ({"price": 200_000_0000}, 0x001D),
        ({"display": "N"}, 0x0003), ({"tif": "6"}, 0x000F),
    ],
)  # fmt: skip
def test_order_that_breaks_a_rule_is_rejected_with_its_reason(
    venue: VenueRig, change: dict[str, int | str], reason: int
) -> None:
    bob = venue.client("BOB")
    order = {"urn": 1, "side": "B", "quantity": 100, "symbol": "AAA", "price": 99_0000} | change
    bob.send(enter(**order))  # type: ignore[arg-type]
    (refused,) = bob.expect("J")
    assert (rejected_for(refused), len(refused)) == (reason, 29)


def test_replace_counts_executions_and_an_invalid_one_cancels(venue: VenueRig) -> None:
    bob, keep = venue.client("BOB"), venue.client("KEEP")
    bob.send(enter(1, "B", 500, "AAA", 99_0000))
    keep.send(enter(1, "S", 100, "AAA", 99_0000))
    bob.expect("AE")
    bob.send(replace(1, 2, 500, 98_0000), replace(2, 3, 1_000_000, 98_0000), replace(1, 4, 10, 98_0000))
    replaced, canceled = bob.expect("UC")
    assert struct.unpack_from(">IIcI", replaced, 9) == (1, 2, b"B", 400)
    assert (urn_of(canceled), struct.unpack_from(">I", canceled, 13)[0]) == (2, 400)
    assert bob.silent()


def test_profiles_differ_in_lengths_and_in_what_they_know(make_venue: Callable[..., VenueRig]) -> None:
    mass_cancel = struct.pack(">cI4s8sH", b"C", 2, b"BETA", b" " * 8, 0)
    for profile, cancel_bytes, canceled_bytes in (("ouch5-2023-05", 9, 18), (LATER, 11, 20)):
        venue = make_venue(profile=profile)
        bob = venue.client("BOB")
        bob.send(enter(1, "B", 100, "AAA", 99_0000), (cancel(1) + b"\0\0")[:cancel_bytes], mass_cancel)
        _, canceled = bob.expect("AC")
        assert len(canceled) == canceled_bytes
        if profile == LATER:
            (answer,) = bob.expect("X")
            assert (len(answer), answer[13:17]) == (27, b"BETA")
        else:
            malformed = until(functools.partial(venue.log, "malformed"), "a log line")
            assert malformed[0]["code"] == "unknown_type"


def test_mass_cancel_and_disable_from_another_session_of_the_firm_stop_it(
    make_venue: Callable[..., VenueRig],
) -> None:
    venue = make_venue(profile=LATER)
    alice, guard, bob = venue.client("ALICE"), venue.client("GUARD"), venue.client("BOB")
    alice.send(*(enter(urn, "B", 100, "AAA", 99_0000) for urn in (1, 2, 3)))
    bob.send(enter(1, "B", 100, "AAA", 98_0000), struct.pack(">cI4sH", b"D", 2, b"ALFA", 0))
    alice.expect("AAA")
    _, foreign = bob.expect("AJ")
    assert rejected_for(foreign) == 0x000C
    guard.send(
        struct.pack(">cI4sH", b"D", 1, b"ALFA", 0), struct.pack(">cI4s8sH", b"C", 2, b"ALFA", b" " * 8, 0)
    )
    guard.expect("GX")
    assert [urn_of(message) for message in alice.expect("CCC")] == [1, 2, 3]
    alice.send(enter(4, "B", 100, "AAA", 99_0000))
    assert rejected_for(alice.expect("J")[0]) == 0x000C
    guard.send(struct.pack(">cI4sH", b"E", 3, b"ALFA", 0))
    guard.expect("K")
    alice.send(enter(5, "B", 100, "AAA", 99_0000))
    alice.expect("A")
    assert venue.admin("status")["live_orders"] == 2


def test_operator_mass_cancels_one_account_and_says_how_many(venue: VenueRig) -> None:
    alice, bob = venue.client("ALICE"), venue.client("BOB")
    alice.send(*(enter(urn, "B", 100, "AAA", 99_0000) for urn in (1, 2)))
    bob.send(enter(1, "B", 100, "AAA", 99_0000))
    alice.expect("AA")
    bob.expect("A")
    assert venue.admin("mass_cancel", account="ALICE") == {"ok": True, "canceled": 2}
    assert [message[17:18] for message in alice.expect("CC")] == [b"S", b"S"]
    assert venue.admin("status")["live_orders"] == 1


def test_drop_copy_reads_the_account_byte_for_byte_and_may_not_trade(venue: VenueRig) -> None:
    alice, drop = venue.client("ALICE", 1), venue.client("DROP", 1)
    alice.send(enter(1, "B", 100, "AAA", 99_0000), cancel(1))
    assert drop.expect("SAC") == alice.expect("SAC")
    drop.send(enter(2, "B", 100, "AAA", 99_0000))
    assert until(lambda: venue.log("refused"), "a log line")[0]["session"] == "DROP"
    until(lambda: not any(line["urn"] == 2 for line in venue.log()) and venue.log("disconnect"), "the cut")
    alice.send(enter(3, "B", 100, "AAA", 99_0000))
    alice.expect("A")


def test_second_login_takes_over_and_the_first_connection_is_cut(venue: VenueRig) -> None:
    first = venue.client("ALICE")
    first.send(enter(1, "B", 100, "AAA", 99_0000))
    first.expect("A")
    second = venue.client("ALICE")
    until(first.closed.is_set, "the cut")
    second.send(enter(2, "B", 100, "AAA", 99_0000))
    second.expect("A")
    assert [line["code"] for line in venue.log("disconnect")] == ["taken_over"]
    assert venue.admin("status")["live_orders"] == 1


def test_silent_peer_is_declared_dead_and_its_orders_are_canceled(
    make_venue: Callable[..., VenueRig],
) -> None:
    venue = make_venue(peer_timeout_ms=200)
    alice = venue.client("ALICE")  # this client beats every 10 s only
    alice.send(enter(1, "B", 100, "AAA", 99_0000))
    alice.expect("A")
    until(lambda: venue.admin("status")["live_orders"] == 0, "the cancel")
    assert venue.log("disconnect")[0]["code"] == "silent"


def test_firm_does_not_trade_with_itself(venue: VenueRig) -> None:
    alice, guard = venue.client("ALICE"), venue.client("GUARD")
    alice.send(enter(1, "S", 100, "AAA", 99_0000))
    alice.expect("A")
    guard.send(enter(1, "B", 40, "AAA", 99_0000))
    _, prevented = guard.expect("AD")
    assert struct.unpack_from(">IcIQ", prevented, 13) == (40, b"Q", 40, 99_0000)
    assert alice.silent()


def test_log_holds_one_verdict_for_each_message_with_epoch_and_sequence(venue: VenueRig) -> None:
    bob = venue.client("BOB")
    sent = [
        enter(1, "B", 100, "AAA", 99_0000, clordid="0000A0000000Z"),
        enter(2, "B", 0, "AAA", 99_0000),
        enter(2, "B", 1, "AAA", 99_0000),
        replace(1, 3, 50, 99_0000),
        cancel(3),
        cancel(3),
        b"Q",
        b"?what",
    ]
    bob.send(*sent)
    bob.expect("AJUCQ")
    lines = until(lambda: (v := venue.log()) and v[-1]["event"] == "malformed" and v, "the last verdict")
    verdicts = [line for line in lines if line["event"] in ("accepted", "rejected", "ignored", "malformed")]
    assert Counter(line["event"] for line in verdicts) == {
        "accepted": 4, "rejected": 1, "ignored": 2, "malformed": 1,
    }  # fmt: skip
    assert [line["type"] for line in verdicts] == [chr(message[0]) for message in sent]
    assert (verdicts[0]["epoch"], verdicts[0]["order_seq"]) == (10, 35)
    assert len({tuple(line) for line in lines}) == 1, "every line has the same keys in the same order"
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_paused_venue_halts_orders_and_resumes(venue: VenueRig) -> None:
    bob = venue.client("BOB")
    venue.admin("pause", what="orders")
    bob.send(enter(1, "B", 100, "AAA", 99_0000))
    assert rejected_for(bob.expect("J")[0]) == 0x0007
    venue.admin("resume")
    bob.send(enter(2, "B", 100, "AAA", 99_0000))
    bob.expect("A")


def test_admin_refuses_what_it_does_not_know(venue: VenueRig) -> None:
    assert venue.admin("dance")["code"] == "unknown_verb"
    assert venue.admin("disable_account", account="NOBODY")["code"] == "unknown_account"
    assert venue.admin("mass_cancel", symbol="NOPE")["code"] == "unknown_symbol"
    assert venue.admin("start")["code"] == "no_source"


def test_end_of_session_is_said_to_clients_and_sigterm_leaves_with_zero(venue: VenueRig) -> None:
    bob = venue.client("BOB")
    assert venue.admin("end")["ok"]
    bob.expect("S")
    until(bob.closed.is_set, "the end")
    assert venue.stop() == 0


def test_operator_cuts_a_connection_and_its_orders_go(venue: VenueRig) -> None:
    alice = venue.client("ALICE")
    alice.send(enter(1, "B", 100, "AAA", 99_0000))
    alice.expect("A")
    assert venue.admin("disconnect", user="ALICE")["ok"]
    until(alice.closed.is_set, "the cut")
    assert venue.admin("status")["live_orders"] == 0
    assert venue.admin("disconnect", user="ALICE")["code"] == "not_connected"


def test_status_counts_what_each_account_did(venue: VenueRig) -> None:
    bob = venue.client("BOB")
    bob.send(enter(1, "B", 100, "AAA", 99_0000), enter(2, "B", 0, "AAA", 99_0000), enter(1, "B", 1, "AAA", 1))
    bob.expect("AJ")
    seen = until(lambda: (a := venue.admin("status")["accounts"][2])["ignored"] and a, "the third")
    assert (seen["account"], seen["firm"], seen["enabled"], seen["connected"]) == ("BOB", "BETA", True, True)
    counts = [
        seen[key] for key in ("last_urn", "accepted", "rejected", "ignored", "malformed", "open_orders")
    ]
    assert counts == [2, 1, 1, 1, 0, 1]
    assert seen["stream"] == 3


def test_modify_turns_a_sale_short_and_smaller_keeps_its_place_and_nothing_else(venue: VenueRig) -> None:
    def modify(urn: int, side: str, quantity: int) -> bytes:
        return struct.pack(">cIcI", b"M", urn, side.encode(), quantity)

    bob, keep = venue.client("BOB"), venue.client("KEEP")
    bob.send(enter(1, "S", 100, "AAA", 99_0000))
    bob.expect("A")
    keep.send(enter(1, "S", 100, "AAA", 99_0000))
    keep.expect("A")
    bob.send(
        modify(1, "T", 40), modify(1, "S", 40), modify(1, "T", 41), modify(1, "B", 10), modify(9, "T", 1)
    )
    (modified,) = bob.expect("M")
    assert (struct.unpack_from(">cI", modified, 13), len(modified)) == ((b"T", 40), 18)
    assert bob.silent()
    assert [line["code"] for line in venue.log("ignored")] == ["not_allowed"] * 3 + ["not_live"]
    asks = venue.admin("book_dump", symbols=["AAA"])["books"][0]["asks"]
    assert [quantity for _, quantity in asks[0][1]] == [40, 100]


def test_immediate_order_takes_what_is_there_and_the_rest_is_canceled(venue: VenueRig) -> None:
    bob, keep = venue.client("BOB"), venue.client("KEEP")
    keep.send(enter(1, "S", 30, "AAA", 99_0000))
    keep.expect("A")
    bob.send(enter(1, "B", 100, "AAA", 99_0000, tif="3"))
    _, _, canceled = bob.expect("AEC")
    assert struct.unpack_from(">Ic", canceled, 13) == (70, b"I")
    assert venue.admin("status")["live_orders"] == 0
