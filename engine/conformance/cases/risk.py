"""Pre-trade checks: at the limit passes; one more is refused and never reaches the gateway."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.cases.orders import filled
from engine.conformance.errors import Broken
from engine.conformance.feed import ASK_E4, BID_E4
from engine.conformance.process import Engine, request

REGISTER = Register()
case = REGISTER.case

TRIES = 4


def wish(
    side: str = "B", quantity: int = 10, symbol: str = "HFTA", price_e4: int = 980_000
) -> dict[str, Any]:
    """Fields of an intent."""
    return {"side": side, "quantity": quantity, "symbol": symbol, "price_e4": price_e4}


def judge(
    bench: Bench, engine: Engine, code: str, passing: list[dict[str, Any]], refused: dict[str, Any]
) -> None:
    """All of PASSING reach the gateway; REFUSED gets CODE and does not."""
    known = len(bench.log.all("order"))
    for fields in passing:
        engine.must("intent", **fields)
    engine.must_not(code, "intent", **refused)
    bench.count("order", known + len(passing))
    bench.nothing_more("order", known + len(passing), 0.05)


@case("risk.symbol")
def symbol_off_the_list(bench: Bench) -> None:
    bench.limits(symbols=["HFTA"])
    judge(bench, bench.active(), "risk.symbol", [wish()], wish(symbol="HFTB"))


@case("risk.size")
def quantity_over_the_limit(bench: Bench) -> None:
    bench.limits(order_quantity_max=100)
    engine = bench.active()
    judge(bench, engine, "risk.size", [wish(quantity=100)], wish(quantity=101))
    engine.must_not("risk.size", "intent", **wish(quantity=0))


@case("risk.notional")
def value_over_the_limit(bench: Bench) -> None:
    bench.limits(order_notional_max_e4=9_800_000)
    judge(bench, bench.active(), "risk.notional", [wish()], wish(price_e4=980_001))


@case("risk.gross")
def value_of_all_orders_over_the_limit(bench: Bench) -> None:
    bench.limits(gross_notional_max_e4=19_800_000)
    passing = [wish(price_e4=990_000), wish(price_e4=980_000, symbol="HFTB")]
    judge(bench, bench.active(), "risk.gross", passing, wish(quantity=1, price_e4=100_001))


@case("risk.collar")
def price_beyond_the_collar(bench: Bench) -> None:
    bench.limits(collar_bps=100)
    engine = bench.active()
    high, low = ASK_E4 + ASK_E4 // 100, BID_E4 - BID_E4 // 100
    judge(bench, engine, "risk.collar", [wish(price_e4=high)], wish(price_e4=high + 1))
    judge(bench, engine, "risk.collar", [wish("S", 10, "HFTB", low)], wish("S", 10, "HFTB", low - 1))


@case("risk.position")
def worst_case_position_over_the_limit(bench: Bench) -> None:
    bench.limits(position_max=100)
    engine = bench.active()
    filled(bench, engine, 20)
    judge(bench, engine, "risk.position", [wish(quantity=50), wish(quantity=30)], wish(quantity=1))
    judge(
        bench, engine, "risk.position", [wish("S", 120, price_e4=1_010_000)], wish("S", 1, price_e4=1_020_000)
    )


@case("risk.rate")
def one_message_too_many_in_a_second(bench: Bench) -> None:
    bench.limits(messages_per_second_max=5)
    engine = bench.active()
    for _ in range(TRIES):
        begun = time.monotonic()
        first = engine.raw(*(request("intent", **wish(quantity=n)) for n in (1, 2, 3)))
        numbers = [answer.get("urn", 0) for answer in first]
        cancels = [request("intent", type="cancel", urn=urn) for urn in numbers]
        later = engine.raw(cancels[0], cancels[1], request("intent", **wish(quantity=4)), cancels[2])
        if time.monotonic() - begun < 0.9:
            seen = [answer["ok"] or answer.get("code") for answer in (*first, *later)]
            wanted = [True] * 5 + ["risk.rate", True]
            demand(seen == wanted, f"3 orders, 2 cancels, order, cancel at 5 a second were answered {seen}")
            return
        time.sleep(1.1)
    raise Broken(f"seven requests were not answered within 0.9 s in {TRIES} tries")


@case("risk.open_orders")
def one_open_order_too_many(bench: Bench) -> None:
    bench.limits(open_orders_max=2)
    judge(bench, bench.active(), "risk.open_orders", [wish(quantity=1), wish(quantity=2)], wish(quantity=3))


@case("risk.duplicate")
def same_order_inside_the_window(bench: Bench) -> None:
    window_s = 0.4
    bench.limits(duplicate_window_ms=int(window_s * 1000))
    engine = bench.active()
    for n in range(1, TRIES + 1):
        begun = time.monotonic()
        answers = engine.raw(*(request("intent", **wish(quantity=q)) for q in (n, n, 100 + n)))
        if time.monotonic() - begun < window_s * 0.9:
            seen = [answer["ok"] or answer.get("code") for answer in answers]
            demand(
                seen == [True, "risk.duplicate", True], f"an order, the same, another were answered {seen}"
            )
            time.sleep(window_s * 1.2)
            engine.must("intent", **wish(quantity=n))
            return
        time.sleep(window_s)
    raise Broken(f"three requests were not answered within {window_s} s in {TRIES} tries")


@case("risk.daily_loss")
def realised_loss_over_the_limit(bench: Bench) -> None:
    bench.limits(daily_loss_max_e4=100_000)
    engine = bench.active()
    filled(bench, engine, 10, 1_000_000)
    filled(bench, engine, 10, 990_000, "S")
    demand(engine.state() == "ACTIVE", "a loss at the limit must pass")
    filled(bench, engine, 1, 1_000_000)
    filled(bench, engine, 1, 999_999, "S")
    engine.wait_state("REDUCING")
    engine.must_not("risk.daily_loss", "intent", **wish())


@case("risk.daily_loss")
def loss_counts_from_the_average_cost(bench: Bench) -> None:
    bench.limits(daily_loss_max_e4=25_000)
    engine = bench.active()
    filled(bench, engine, 10, 1_000_000)
    filled(bench, engine, 10, 980_000)
    filled(bench, engine, 5, 985_000, "S")  # 5 x (985,000 - 990,000)
    demand(engine.state() == "ACTIVE", "a loss of 25,000 at a limit of 25,000 must pass")
    filled(bench, engine, 5, 989_999, "S")
    engine.wait_state("REDUCING")
    engine.must_not("operator", "resume", operator="", reason="case")
    engine.must_not("risk.daily_loss", "resume", operator="conformance", reason="case")


@case("risk.stale_feed")
def silent_feed(bench: Bench) -> None:
    bench.config["feed_stale_ms"] = 1000
    engine = bench.active()
    bench.feed.running = False
    engine.wait_status("a stale feed", lambda status: not status["feed"]["fresh"])
    engine.must_not("risk.stale_feed", "intent", **wish())
    bench.nothing_more("order", 0, 0.05)


@case("risk.gapped_feed")
def open_gap(bench: Bench) -> None:
    engine = bench.active()
    bench.feed.answering = bench.feed.history = False
    bench.feed.publish("")
    bench.feed.publish("AB")
    engine.wait_status("a gap", lambda status: status["feed"]["gapped"])
    engine.must_not("risk.gapped_feed", "intent", **wish())
    bench.nothing_more("order", 0, 0.05)


@case("risk.self_trade")
def would_meet_an_own_order(bench: Bench) -> None:
    passing = [wish("S", 10, "HFTA", 1_000_000), wish("B", 10, "HFTA", 999_999)]
    judge(bench, bench.active(), "risk.self_trade", passing, wish("B", 5, "HFTA", 1_000_000))


@case("risk.repeated")
def executions_without_a_person(bench: Bench) -> None:
    bench.limits(repeated_executions_max=2)
    engine = bench.active()
    filled(bench, engine, 1)
    demand(engine.state() == "ACTIVE", "one execution of two must pass")
    filled(bench, engine, 2)
    engine.wait_state("REDUCING")
    engine.must_not("risk.repeated", "intent", **wish())
    engine.must("resume", operator="conformance", reason="case")
    engine.must("intent", **wish(quantity=3))


@case("risk.limits_expired")
def limits_that_expire_while_active(bench: Bench) -> None:
    lasts_s = min(4.0, bench.patience_s / 2)
    until = time.monotonic() + lasts_s
    bench.limits(lasts_s=lasts_s)
    engine = bench.active()
    urn = engine.must("intent", **wish())["urn"]
    bench.count("order", 1)
    time.sleep(max(0.0, until - time.monotonic()) + 0.1)
    engine.must_not("risk.limits_expired", "intent", **wish(quantity=11))
    engine.must("intent", type="cancel", urn=urn)
    bench.count("cancel", 1)


def passes_in_time(engine: Engine, **fields: Any) -> int:
    """An order that a busy machine may hold up once passes soon; its reference number."""
    answer: dict[str, Any] = {}
    for _ in range(4 * TRIES):
        answer = engine.ask("intent", **fields)
        if answer["ok"]:
            return int(answer["urn"])
        time.sleep(0.2)
    raise Broken(f"an order is still refused: {answer}")


@case("risk.aged")
def orders_that_waited_for_a_frozen_process(bench: Bench) -> None:
    bench.config["order_age_max_ms"] = 500
    engine = bench.active()
    urn = passes_in_time(engine, **wish(quantity=1))
    bench.count("order", 1)
    engine.signal(signal.SIGSTOP)
    thaw = threading.Timer(1.2, engine.signal, (signal.SIGCONT,))
    thaw.start()
    answers = engine.raw(
        request("intent", **wish(quantity=2)), request("intent", type="cancel", urn=urn),
        request("intent", **wish(quantity=3)),
    )  # fmt: skip
    thaw.join()
    seen = [answer["ok"] or answer.get("code") for answer in answers]
    demand(
        seen == ["risk.aged", True, "risk.aged"],
        f"an order, a cancel and an order that waited 1.2 s for a frozen process were answered {seen}",
    )
    bench.nothing_more("order", 1, 0.05)
    passes_in_time(engine, **wish(quantity=4))
