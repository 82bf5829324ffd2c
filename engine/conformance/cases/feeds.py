"""Market data: A/B line arbitration, and gap requests."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.feed import SESSION
from engine.conformance.process import Engine

REGISTER = Register()
case = REGISTER.case


def _next_is(wanted: int, status: dict[str, Any]) -> bool:
    return bool(status["feed"]["next_sequence"] == wanted)


@case("feed.arbitration")
def each_line_alone_is_enough(bench: Bench) -> None:
    bench.feed.answering = False
    engine = bench.standby_synced()
    start = engine.metric("engine_feed_messages_total")
    for lines in ("A", "B", "AB", "B", "A"):
        bench.feed.publish(lines)
        wanted = bench.feed.next
        engine.wait_status(f"message {wanted - 1} from {lines}", partial(_next_is, wanted))
    demand(not engine.status()["feed"]["gapped"], "reports a gap, although no message was missing")
    taken = engine.metric("engine_feed_messages_total") - start
    demand(taken == 5, f"5 messages were counted as {taken}")


@case("feed.rerequest")
def hole_is_asked_for_and_closed(bench: Bench) -> None:
    engine = bench.standby_synced()
    known = len(bench.log.all("request"))
    first = bench.feed.next
    bench.feed.publish("", count=3)
    bench.feed.publish("AB")
    sequence, count = bench.count("request", known + 1)[known]
    demand((sequence, count) == (first, 3), f"requested {count} from {sequence}; 3 from {first} were missing")
    engine.wait_status(
        "a closed gap", lambda s: s["feed"]["next_sequence"] == first + 4 and not s["feed"]["gapped"]
    )


STALE_MS = 400
END = 0xFFFF


def trading_on_a_quick_feed(bench: Bench) -> Engine:
    """An ACTIVE engine in sync with a feed that it trusts, and takes for dead soon."""
    bench.config["feed_stale_ms"] = STALE_MS
    engine = bench.active()
    wanted = bench.feed.next
    engine.wait_status(
        "a book in sync with a fresh feed",
        lambda status: _next_is(wanted, status) and status["feed"]["fresh"],
    )
    bench.feed.history = False
    return engine


def refused(engine: Engine) -> bool:
    """Whether an order at the standing ask is refused."""
    return not engine.ask("intent", side="B", quantity=1, symbol="HFTA", price_e4=900_000)["ok"]


@case("feed.progress")
def only_progress_is_fresh(bench: Bench) -> None:
    engine = trading_on_a_quick_feed(bench)
    bench.feed.running = False
    end = time.monotonic() + 2.5 * STALE_MS / 1000
    while time.monotonic() < end:
        bench.feed.garbage("A")
        bench.feed.stray("B", b"OTHERX", bench.feed.next)
        bench.feed.stray("B", b"OTHERY", bench.feed.next)
        bench.feed.stray("A", SESSION, 1)
        time.sleep(0.02)
    demand(engine.state() == "REDUCING", f"the feed is dead, and the state is {engine.state()}")
    demand(refused(engine), "an order left on a dead feed")


@case("feed.session")
def strangers_change_nothing(bench: Bench) -> None:
    engine = trading_on_a_quick_feed(bench)
    block = b"\0\1S"
    for sequence in (1, 1, 1, *range(bench.feed.next, bench.feed.next + 6)):
        bench.feed.stray("B", b"EVIL", sequence)
        bench.feed.stray("B", b"EVIL", sequence, 1, block)
    for _ in range(3):
        bench.feed.publish("AB")
    wanted = bench.feed.next
    engine.wait_status(f"message {wanted - 1}", partial(_next_is, wanted))
    engine.stays(0.3, "the session's own number", partial(_next_is, wanted))


@case("feed.ended")
def no_order_behind_the_end(bench: Bench) -> None:
    engine = trading_on_a_quick_feed(bench)
    bench.feed.running = False
    time.sleep(0.1)
    for line in "AB":
        bench.feed.stray(line, SESSION, bench.feed.next, END)
    time.sleep(0.1)
    demand(refused(engine), "an order left behind the end of the session")
    bench.feed.running = True
    bench.feed.publish("AB")
    wanted = bench.feed.next
    engine.wait_status(f"message {wanted - 1} behind a contradicted end", partial(_next_is, wanted))
    engine.wait_status("a feed that is fresh again", lambda status: bool(status["feed"]["fresh"]))


@case("feed.jump")
def one_claim_far_ahead_is_withdrawn(bench: Bench) -> None:
    engine = trading_on_a_quick_feed(bench)
    bench.feed.stray("A", SESSION, bench.feed.next + 900_000)
    for _ in range(3):
        bench.feed.publish("AB")
    wanted = bench.feed.next
    engine.wait_status(
        "a fresh feed without a gap",
        lambda status: _next_is(wanted, status) and status["feed"]["fresh"] and not status["feed"]["gapped"],
    )


@case("feed.collar")
def the_collar_follows_the_touch(bench: Bench) -> None:
    bench.limits(collar_bps=100)
    engine = bench.active()
    engine.wait_status("a book in sync", partial(_next_is, bench.feed.next))
    wish = {"side": "B", "quantity": 1, "symbol": "HFTA"}
    engine.must("intent", **wish, price_e4=1_005_000)
    bench.feed.move_ask(992_000)
    engine.wait_status("the new touch", partial(_next_is, bench.feed.next))
    engine.must_not("risk.collar", "intent", **wish, price_e4=1_005_000)
    engine.must("intent", **wish, price_e4=1_001_000)


STRANGER = "127.0.0.1"  # the bench publishes from an address of its own


@case("feed.sources")
def what_another_address_sends_changes_nothing(bench: Bench) -> None:
    bench.config |= {"feed_sources": [bench.address], "critical": ["feed_sources"]}
    engine = trading_on_a_quick_feed(bench)
    bench.feed.running = False
    number = bench.feed.next
    end = time.monotonic() + 2.5 * STALE_MS / 1000
    while time.monotonic() < end:
        for line in "AB":
            bench.feed.stray_from(STRANGER, line, number, [])
        time.sleep(0.02)
    demand(engine.state() == "REDUCING", f"only a stranger speaks, and the state is {engine.state()}")
    bench.feed.stray_from(STRANGER, "A", number, [b"S"])
    engine.stays(0.2, "the venue's own number", partial(_next_is, number))
    demand(engine.metric("engine_feed_strays_total") > 0, "the stranger's datagrams were not counted")


@case("feed.pinned")
def another_session_is_never_taken(bench: Bench) -> None:
    bench.config["feed_session"] = SESSION.decode()
    bench.feed.running = False
    engine = bench.launch()
    engine.wait_up()
    for sequence in range(1, 8):
        for line in "AB":
            bench.feed.stray(line, b"EVIL", sequence, 1, b"\0\1S")
    time.sleep(0.1)
    bench.feed.running = True
    engine.wait_state("STANDBY")
    engine.wait_status("the venue's own book", partial(_next_is, bench.feed.next))


@case("feed.new_day")
def a_new_day_begins_with_an_empty_book(bench: Bench) -> None:
    engine = bench.active()
    engine.wait_status("a book in sync", partial(_next_is, bench.feed.next))
    bench.feed.history = bench.feed.running = False
    time.sleep(0.1)
    for line in "AB":
        bench.feed.stray(line, SESSION, bench.feed.next, END)
    time.sleep(0.1)
    bench.feed.new_session(b"CONFORM002")
    bench.feed.running = True
    wanted = bench.feed.next
    engine.wait_status(
        "the new session", lambda status: _next_is(wanted, status) and bool(status["feed"]["fresh"])
    )
    if engine.state() == "REDUCING":
        engine.must("resume", operator="conformance", reason="a new day")
    wish = {"side": "B", "quantity": 1, "symbol": "HFTA", "price_e4": 990_000}
    engine.must_not("risk.collar", "intent", **wish)
    bench.feed.offer("HFTA")
    engine.wait_status("the day's first touch", partial(_next_is, bench.feed.next))
    engine.must("intent", **wish)
