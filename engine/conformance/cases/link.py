"""The link to the gateway, seen from the gateway."""

from __future__ import annotations

import signal
import time
from itertools import pairwise

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.cases.orders import filled
from engine.contract.journal import Kind
from engine.contract.link import base36
from engine.contract.process import ExitCode
from engine.contract.versioning import acceptable

REGISTER = Register()
case = REGISTER.case

BEAT_MS, STALL_MS = 100, 1_500
BUY = {"side": "B", "quantity": 10, "symbol": "HFTA", "price_e4": 980_000}


@case("link.hello")
def hello_is_first_and_as_configured(bench: Bench) -> None:
    bench.active()
    events = [event for event in bench.log.all() if event.connection]
    demand(
        [e.kind for e in events[:2]] == ["connect", "hello"], f"first frames: {[e.kind for e in events[:2]]}"
    )
    hello = events[1].value if isinstance(events[1].value, dict) else {}
    seen = (hello.get("slot"), hello.get("egress"), hello.get("ticket", "none"))
    demand(seen == ("a", "test", None), f"HELLO has slot, egress, ticket {seen}")
    demand(acceptable(str(hello.get("contract"))), f"HELLO has contract {hello.get('contract')}")


@case("link.claim")
def one_claim_between_hello_and_login(bench: Bench) -> None:
    engine = bench.active(7)
    engine.must("intent", **BUY)
    bench.count("order", 1)
    kinds = [e.kind for e in bench.log.all("hello", "claim", "login", "order")]
    demand(kinds == ["hello", "claim", "login", "order"], f"the connection carried {kinds}")
    demand(bench.count("claim", 1) == [7], f"CLAIM of epoch {bench.count('claim', 1)}, not 7")


@case("link.silent_before_promote")
def spare_sends_nothing(bench: Bench) -> None:
    engine = bench.standby()
    engine.must_not("not_active", "intent", **BUY)
    engine.must("promote", epoch=7)
    engine.must("intent", **{**BUY, "quantity": 11})
    bench.count("order", 1)
    quantities = [order.quantity for order in bench.count("order", 1)]
    demand(quantities == [11], f"orders of {quantities} reached the gateway; only 11 was sent while ACTIVE")


@case("link.refused_claim")
def refused_claim_leaves_standby(bench: Bench) -> None:
    engine = bench.standby()
    bench.gateway.knobs.refuse_claim = "stale_epoch"
    engine.must_not("stale_epoch", "promote", epoch=7)
    demand(engine.state() == "STANDBY", f"a refused CLAIM led to {engine.state()}")
    bench.gateway.knobs.refuse_claim = None
    engine.must_not("stale_epoch", "promote", epoch=7)
    engine.must("promote", epoch=8)
    epochs = list(dict.fromkeys(bench.count("claim", 2)))  # how often per connection is judged by link.claim
    demand(epochs == [7, 8], f"the CLAIMs had epochs {epochs}, not 7 and 8")


@case("link.clordid")
def clordid_names_the_epoch(bench: Bench) -> None:
    epoch = 36**4 + 35
    engine = bench.active(epoch)
    for quantity in (1, 2, 3):
        engine.must("intent", **{**BUY, "quantity": quantity})
    ids = [order.clordid for order in bench.count("order", 3)]
    wrong = [one for one in ids if one[:5] != base36(epoch, 5) or one[13:] != " " or len(one) != 14]
    demand(not wrong, f"ClOrdID {wrong} under epoch {base36(epoch, 5)}")
    demand(
        all(int(a[5:13], 36) < int(b[5:13], 36) for a, b in pairwise(ids)), f"sequences do not rise: {ids}"
    )


@case("link.urn_rises")
def numbers_rise_over_reconnect_and_restart(bench: Bench) -> None:
    bench.gateway.knobs.next_urn = 50
    engine = bench.active(7)
    filled(bench, engine, 10)  # so that it is answered, and not resent after the reconnect
    bench.gateway.drop()
    bench.count("login", 2)
    engine.wait_status("a new session", lambda status: status["connected"])
    engine.must("intent", **{**BUY, "quantity": 2})
    bench.count("order", 2)
    bench.gateway.knobs.next_urn = 1
    engine.sigkill()
    engine = bench.active(8)
    engine.must("intent", **{**BUY, "quantity": 3})
    numbers = [order.urn for order in bench.count("order", 3)]
    demand(numbers[0] >= 50, f"the first number is {numbers[0]}, the gateway's next_urn was 50")
    demand(all(a < b for a, b in pairwise(numbers)), f"numbers do not rise: {numbers}")


@case("link.resend")
def unanswered_orders_go_out_again_first(bench: Bench) -> None:
    engine = bench.active()
    bench.gateway.knobs.answer_orders = False
    for quantity in (1, 2):
        engine.must("intent", **{**BUY, "quantity": quantity})
    first = [order.data for order in bench.count("order", 2)]
    bench.gateway.knobs.answer_orders = True
    bench.gateway.drop()
    bench.count("login", 2)
    engine.wait_status("a new session", lambda status: status["connected"])
    engine.must("intent", **{**BUY, "quantity": 3})
    again = [e.value for e in bench.log.wait_count("order", 5, bench.patience_s) if e.connection == 2]
    demand([order.data for order in again[:2]] == first, "the unanswered orders were not resent first")
    seen = [order.quantity for order in again]
    demand(seen == [1, 2, 3], f"after the reconnect the orders were {seen}, not 1, 2, 3")


@case("link.stale_stops")
def stale_reject_ends_sending(bench: Bench) -> None:
    engine = bench.active()
    engine.must("intent", **BUY)
    bench.count("order", 1)
    engine.wait_status("an open order", lambda status: status["open_orders"] == 1)
    bench.gateway.knobs.stale = True
    engine.must("intent", **{**BUY, "quantity": 2})
    bench.count("closed by gateway", 1)
    engine.wait_state("STANDBY")
    engine.must_not("not_active", "intent", **{**BUY, "quantity": 3})
    bench.nothing_more("order", 2)
    bench.nothing_more("cancel", 0)
    bench.nothing_more("hello", 1)


@case("link.heartbeat")
def idle_session_is_kept_alive(bench: Bench) -> None:
    bench.active()
    events = bench.log.wait_count("heartbeat", 2, min(bench.patience_s, 4.0))
    gap = events[1].at_s - events[0].at_s
    demand(gap <= 1.5, f"heartbeats {gap:.1f} s apart")


@case("link.beats")
def the_hot_loop_beats_as_often_as_it_is_asked(bench: Bench) -> None:
    bench.gateway.knobs.beat_ms = BEAT_MS
    engine = bench.active()
    bench.log.wait_count("beat", 4, bench.patience_s)
    engine.must("stall", ms=STALL_MS)
    count = len(bench.log.all("beat"))
    beats = bench.log.wait_count("beat", count + 4, bench.patience_s)
    gaps = sorted(b.at_s - a.at_s for a, b in pairwise(beats))
    demand(gaps[-1] >= STALL_MS / 1000 * 0.7, f"beats went on during a stall of {STALL_MS} ms")
    demand(
        gaps[len(gaps) // 2] <= BEAT_MS / 1000 * 2,
        f"beats {gaps[len(gaps) // 2]:.2f} s apart, not {BEAT_MS} ms",
    )
    flags, fed = beats[-1].value or (0, 0)
    demand((flags, fed > 0) == (2, True), f"an ACTIVE engine with a fresh feed beats flags {flags} and {fed}")


@case("link.beats")
def nobody_beats_unasked(bench: Bench) -> None:
    bench.active()
    bench.nothing_more("beat", 0, 1.5)  # whether heartbeats come is another clause
    demand(bench.log.all("beat", "stray") == [], "a gateway that did not ask got beats")


@case("link.demote")
def demote_cancels_nothing(bench: Bench) -> None:
    engine = bench.active()
    engine.must("intent", **BUY)
    bench.count("order", 1)
    engine.must("demote")
    demand(engine.state() == "STANDBY", f"demote led to {engine.state()}")
    bench.nothing_more("cancel", 0)
    bench.nothing_more("order", 1)


@case("egress.shadow")
def shadow_decides_and_sends_nothing(bench: Bench) -> None:
    bench.config["egress"] = "shadow"
    engine = bench.active()
    engine.must("intent", **BUY)
    engine.signal(signal.SIGTERM)
    engine.wait_exit()
    demand(
        bool([r for r in bench.journal().records if r.kind == Kind.INTENT]), "the shadow journaled no intent"
    )
    bench.nothing_more("order", 0)


@case("intent.only_conformance")
def intent_needs_the_flag(bench: Bench) -> None:
    engine = bench.active(conformance=False)
    engine.must_not("not_conformance", "intent", **BUY)
    bench.nothing_more("order", 0)


@case("intent.only_conformance")
def flag_is_refused_for_live_egress(bench: Bench) -> None:
    bench.config["egress"] = "live"
    bench.must_exit(ExitCode.CONFIGURATION)


@case("link.continues")
def no_response_is_counted_twice(bench: Bench) -> None:
    engine = bench.active()
    urn = engine.must("intent", side="B", quantity=10, symbol="HFTA", price_e4=980_000)["urn"]
    bench.gateway.wait_taken(urn, bench.patience_s)
    bench.gateway.fill(urn, 10, 980_000)
    engine.wait_status("a position of 10", lambda status: status["positions"].get("HFTA") == 10)
    bench.gateway.drop()
    bench.count("login", 2)
    engine.wait_status("the session again", lambda status: bool(status["connected"]))
    held = engine.status()["positions"].get("HFTA")
    demand(held == 10, f"after a reconnect the position is {held}, not 10")


@case("link.newest_epoch")
def a_reconnect_claims_the_last_epoch(bench: Bench) -> None:
    engine = bench.active(7)
    engine.must("demote")
    engine.wait_state("STANDBY")
    engine.must("promote", epoch=8)
    bench.gateway.drop()
    claims = bench.count("claim", 3)
    demand(claims[:3] == [7, 8, 8], f"the claims were {claims}, not 7, 8, 8")


@case("link.peer_dead")
def a_silent_gateway_is_given_up(bench: Bench) -> None:
    bench.config["link_silence_max_ms"] = 2_000
    bench.active(7)
    time.sleep(2.5)
    demand(bench.count("claim", 1) == [7], "a gateway that sends its heartbeats was given up")
    bench.gateway.knobs.silent = True
    demand(bench.count("claim", 2)[:2] == [7, 7], "the connection after a silent one claims something else")


@case("link.broken")
def a_stream_that_cannot_be_read_is_given_up(bench: Bench) -> None:
    bench.active(7)
    bench.gateway.babble(b"\0\0")
    demand(bench.count("claim", 2)[:2] == [7, 7], "the connection after a broken one claims something else")


@case("link.aged")
def an_old_unanswered_order_is_not_sent_again(bench: Bench) -> None:
    bench.config["order_age_max_ms"] = 1_000
    engine = bench.active()
    knobs = bench.gateway.knobs
    knobs.answer_orders = False
    urn = engine.must("intent", **BUY)["urn"]
    bench.gateway.wait_taken(urn, bench.patience_s)
    knobs.closed = True
    bench.gateway.drop()
    time.sleep(1.8)
    knobs.closed, knobs.answer_orders = False, True
    bench.count("login", 2)
    engine.wait_status("a new session", lambda status: status["connected"])
    bench.nothing_more("order", 1, 0.5)
