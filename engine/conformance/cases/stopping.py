"""Kill, drain and REDUCING with orders open."""

from __future__ import annotations

import signal
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.cases.orders import buy, filled
from engine.conformance.errors import Broken
from engine.conformance.process import Engine

REGISTER = Register()
case = REGISTER.case

BUY = {"side": "B", "quantity": 1, "symbol": "HFTA", "price_e4": 970_000}


def with_open(bench: Bench, count: int) -> tuple[Engine, list[int]]:
    """An ACTIVE engine with COUNT open orders, and their numbers."""
    engine = bench.active()
    numbers = [buy(engine, quantity + 1) for quantity in range(count)]
    for urn in numbers:
        bench.gateway.wait_taken(urn, bench.patience_s)
    engine.wait_status(f"{count} open orders", lambda status: status["open_orders"] == count)
    return engine, numbers


def cancelled(bench: Bench, numbers: list[int]) -> None:
    """A cancel must have been sent for every one of NUMBERS."""
    seen = {cancel.urn for cancel in bench.count("cancel", len(numbers))}
    demand(seen == set(numbers), f"cancels for {sorted(seen)}, but {numbers} were open")


@case("kill.cancels")
def kill_cancels_all_and_sends_no_order(bench: Bench) -> None:
    engine, numbers = with_open(bench, 3)
    engine.must("kill", reason="drill")
    cancelled(bench, numbers)
    bench.nothing_more("order", 3)
    engine.wait_status("no open order", lambda status: status["open_orders"] == 0)


@case("kill.unanswered")
def an_order_without_an_answer_is_cancelled(bench: Bench) -> None:
    engine = bench.active()
    bench.gateway.knobs.answer_orders = False
    urn = engine.must("intent", side="B", quantity=5, symbol="HFTA", price_e4=900_000)["urn"]
    bench.count("order", 1)
    engine.must("kill", reason="drill")
    cancel = bench.count("cancel", 1)[0]
    demand(cancel.urn == urn, f"the cancel names {cancel.urn}, not {urn}")


@case("kill.reply")
def kill_says_what_it_did(bench: Bench) -> None:
    engine = bench.active()
    filled(bench, engine, 30)
    for quantity in (1, 2):
        bench.gateway.wait_taken(buy(engine, quantity), bench.patience_s)
    engine.wait_status("2 open orders", lambda status: status["open_orders"] == 2)
    answer = engine.must("kill", reason="drill")
    seen: dict[str, Any] = {name: answer.get(name) for name in ("open_before", "fills_since", "flattened")}
    demand(seen == {"open_before": 2, "fills_since": 0, "flattened": False}, f"the answer says {seen}")
    demand(answer.get("positions") == {"HFTA": 30}, f"the answer says positions {answer.get('positions')}")
    sent, acked = answer.get("cancels_sent"), answer.get("cancels_acked")
    if not isinstance(sent, int) or not isinstance(acked, int):
        raise Broken(f"cancels_sent is {sent}, cancels_acked is {acked}")
    bench.count("cancel", sent)
    bench.nothing_more("cancel", sent)
    demand(0 <= acked <= sent, f"cancels_acked is {acked} of {sent} sent")


@case("kill.blocks_intents")
def halted_refuses_intents(bench: Bench) -> None:
    engine = bench.active()
    engine.must("kill", reason="drill")
    engine.must_not({"not_active", "latched"}, "intent", **BUY)
    bench.nothing_more("order", 0)


@case("drain.cancels")
def sigterm_cancels_waits_and_exits_0(bench: Bench) -> None:
    engine, numbers = with_open(bench, 2)
    code = engine.stop()
    cancelled(bench, numbers)
    demand(code == 0, f"SIGTERM with answered cancels exited {code}")
    demand(engine.last_line().get("open_orders") == 0, f"the last line says {engine.last_line()}")


@case("drain.unanswered")
def unanswered_cancels_exit_69(bench: Bench) -> None:
    bench.config["drain_timeout_ms"] = 300
    engine, _ = with_open(bench, 2)
    bench.gateway.knobs.answer_cancels = False
    code = engine.stop()
    demand(code == 69, f"SIGTERM with unanswered cancels exited {code}, not 69")
    line = engine.last_line()
    demand((line.get("exit"), line.get("open_orders")) == (69, 2), f"the last line says {line}")


@case("drain.forced")
def second_sigterm_ends_it_and_not_with_0(bench: Bench) -> None:
    bench.config["drain_timeout_ms"] = 120_000
    engine, _ = with_open(bench, 1)
    bench.gateway.knobs.answer_cancels = False
    engine.signal(signal.SIGTERM)
    engine.wait_state("DRAINING")
    engine.signal(signal.SIGTERM)
    code = engine.wait_exit()
    demand(code != 0, "a forced stop exited 0")


@case("reduce.only")
def reducing_takes_only_what_reduces(bench: Bench) -> None:
    engine = bench.active()
    filled(bench, engine, 50)
    engine.must("reduce", reason="case")
    engine.must_not("reducing", "intent", **BUY)
    engine.must_not("reducing", "intent", side="S", quantity=51, symbol="HFTA", price_e4=1_010_000)
    engine.must("intent", side="S", quantity=50, symbol="HFTA", price_e4=1_010_000)
    engine.must_not("operator", "resume", operator="", reason="case")
    engine.must("resume", operator="conformance", reason="case")
    engine.must("intent", **BUY)
