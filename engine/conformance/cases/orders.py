"""Orders, their responses, and what survives a restart."""

from __future__ import annotations

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.gateway import extra_execution
from engine.conformance.ouch import Enter, canceled, executed, foreign, replaced
from engine.conformance.process import Engine
from engine.contract.journal import Kind
from engine.contract.link import OUCH_LENGTHS

REGISTER = Register()
case = REGISTER.case

PRICE_E4 = 980_000


def buy(engine: Engine, quantity: int, price_e4: int = PRICE_E4) -> int:
    """An accepted intent to buy; its reference number."""
    return int(engine.must("intent", side="B", quantity=quantity, symbol="HFTA", price_e4=price_e4)["urn"])


def filled(bench: Bench, engine: Engine, quantity: int, price_e4: int = PRICE_E4, side: str = "B") -> None:
    """An order that is fully executed, as seen by the engine."""
    before = engine.status()["positions"].get("HFTA", 0)
    urn = engine.must("intent", side=side, quantity=quantity, symbol="HFTA", price_e4=price_e4)["urn"]
    bench.gateway.wait_taken(urn, bench.patience_s)
    bench.gateway.fill(urn, quantity, price_e4)
    after = before + (quantity if side == "B" else -quantity)
    engine.wait_status(f"a position of {after}", lambda status: status["positions"].get("HFTA", 0) == after)


@case("order.enter")
def order_arrives_as_intended(bench: Bench) -> None:
    engine = bench.active()
    for side, price in (("B", 980_000), ("S", 1_010_000)):
        wanted = {"side": side, "quantity": 70, "symbol": "HFTB", "price_e4": price}
        answer = engine.must("intent", **wanted)
        order = bench.count("order", 1 if side == "B" else 2)[-1]
        seen = {
            "side": order.side,
            "quantity": order.quantity,
            "symbol": order.symbol,
            "price_e4": order.price_e4,
        }
        demand(seen == wanted, f"the gateway saw {seen}, the intent was {wanted}")
        demand(
            (order.urn, order.clordid) == (answer.get("urn"), answer.get("clordid")),
            f"the answer said {answer}",
        )
    demand(not bench.log.all("malformed"), "a message was not OUCH of the profile")


@case("order.cancel")
def cancel_arrives_in_the_profiles_length(bench: Bench) -> None:
    engine = bench.active()
    urn = buy(engine, 10)
    bench.count("order", 1)
    engine.must("intent", type="cancel", urn=urn)
    cancel = bench.count("cancel", 1)[0]
    length = OUCH_LENGTHS[bench.config["venue_profile"]]["X"]
    demand(cancel.urn == urn, f"Cancel Order of {cancel.urn}, not {urn}")
    demand(len(cancel.data) == length, f"Cancel Order has {len(cancel.data)} bytes, {length} in this profile")
    demand(cancel.quantity == 0, f"Cancel Order down to {cancel.quantity}, not to 0")


@case("order.executions")
def responses_move_position_and_open_orders(bench: Bench) -> None:
    engine = bench.active()
    urn = buy(engine, 100)
    bench.gateway.wait_taken(urn, bench.patience_s)
    bench.gateway.fill(urn, 40, PRICE_E4)
    engine.wait_status("a position of 40", lambda status: status["positions"].get("HFTA") == 40)
    demand(engine.status()["open_orders"] == 1, "a partially executed order is still open")
    engine.must("intent", type="cancel", urn=urn)
    engine.wait_status("no open order after the cancel", lambda status: status["open_orders"] == 0)
    bench.gateway.knobs.reject_orders = True
    buy(engine, 5)
    bench.count("order", 2)
    engine.wait_status("no open order after the reject", lambda status: status["open_orders"] == 0)
    demand(engine.status()["positions"].get("HFTA") == 40, "a cancel or reject changed the position")


@case("order.events")
def a_partial_cancel_leaves_the_rest_open(bench: Bench) -> None:
    engine = bench.active()
    urn = buy(engine, 10)
    bench.gateway.wait_taken(urn, bench.patience_s)
    profile = bench.config["venue_profile"]
    bench.gateway.say(canceled(urn, 4, 1, profile))
    bench.gateway.fill(urn, 1, PRICE_E4)
    engine.wait_status("a position of 1", lambda status: status["positions"].get("HFTA") == 1)
    demand(
        engine.status()["open_orders"] == 1, "an order of 10 with 4 cancelled and 1 executed is still open"
    )
    bench.gateway.say(canceled(urn, 5, 1, profile))
    engine.wait_status("no open order", lambda status: status["open_orders"] == 0)


@case("order.events")
def a_replaced_order_lives_under_its_new_number(bench: Bench) -> None:
    engine = bench.active()
    bench.gateway.say(foreign(500, 100, PRICE_E4, 1))
    bench.gateway.say(replaced(500, 501, 60, PRICE_E4, 2))
    engine.wait_status("one open order", lambda status: status["open_orders"] == 1)
    bench.gateway.say(executed(501, 60, PRICE_E4, 9, 3))
    engine.wait_status(
        "a position of 60 and nothing open",
        lambda status: status["positions"].get("HFTA") == 60 and status["open_orders"] == 0,
    )


@case("order.unknown")
def what_nobody_can_account_for_reduces(bench: Bench) -> None:
    broken_trade = b"B" + bytes(8) + (1).to_bytes(4, "big") + bytes(8) + b"E" + b" " * 14
    engine = bench.active()
    for message in (executed(9999, 5, PRICE_E4, 7, 1), b"Z" + bytes(40), broken_trade, b"E" + bytes(3)):
        bench.gateway.say(message)
        engine.wait_state("REDUCING")
        engine.must("resume", operator="conformance", reason="case")
        engine.wait_state("ACTIVE")


@case("link.replayed")
def a_promote_waits_for_the_end_of_the_replay(bench: Bench) -> None:
    bench.limits(position_max=100)
    engine = bench.active()
    filled(bench, engine, 60)
    engine.sigkill()
    for path in (bench.directory / "journal").iterdir():
        path.unlink()
    (bench.directory / "latch").unlink()
    bench.gateway.knobs.replay_delay_s = 0.8
    engine = bench.standby()
    engine.must("promote", epoch=8)
    held = engine.status()["positions"].get("HFTA", 0)
    demand(held == 60, f"promoted with a position of {held} before the replay was here; the account holds 60")
    engine.must_not("risk.position", "intent", side="B", quantity=100, symbol="HFTA", price_e4=PRICE_E4)


@case("order.restored")
def position_and_orders_survive_sigkill(bench: Bench) -> None:
    engine = bench.active()
    urn = buy(engine, 100)
    bench.gateway.wait_taken(urn, bench.patience_s)
    bench.gateway.fill(urn, 60, PRICE_E4)
    engine.wait_status("a position of 60", lambda status: status["positions"].get("HFTA") == 60)
    engine.sigkill()
    status = bench.standby().status()
    seen = (status["positions"].get("HFTA", 0), status["open_orders"])
    demand(seen == (60, 1), f"after a restart position and open orders are {seen}, not (60, 1)")


@case("order.restored")
def daily_loss_survives_sigkill(bench: Bench) -> None:
    bench.limits(daily_loss_max_e4=10)
    engine = bench.active()
    filled(bench, engine, 10, 1_000_000)
    filled(bench, engine, 10, 999_000, "S")
    engine.sigkill()
    engine = bench.active_or_reducing(8)
    engine.must_not("risk.daily_loss", "intent", side="B", quantity=1, symbol="HFTA", price_e4=PRICE_E4)


@case("order.reconciled")
def different_drop_copy_refuses_the_promote(bench: Bench) -> None:
    bench.with_drop_copy()
    engine = bench.standby()
    bench.gateway.knobs.copy_extra = extra_execution(900, 10, PRICE_E4)
    engine.must_not("not_reconciled", "promote", epoch=7)
    demand(engine.state() == "STANDBY", f"a refused promote led to {engine.state()}")
    bench.gateway.knobs.copy_extra = []
    engine.must("promote", epoch=8)
    filled(bench, engine, 10)
    engine.must("demote")
    engine.wait_state("STANDBY")
    engine.must("promote", epoch=9)


@case("journal.before_send")
def journal_has_the_order_first(bench: Bench) -> None:
    found: list[bool] = []

    def look(order: Enter) -> None:
        records = bench.journal().records
        found.append(any(r.kind == Kind.INTENT and r.payload == order.data for r in records))

    engine = bench.active()
    bench.gateway.knobs.on_order = look
    for quantity in (1, 2):
        buy(engine, quantity)
        bench.count("order", quantity)
    demand(found == [True, True], "an order reached the gateway before it was in the journal on disk")


@case("metrics.orders")
def counters_equal_what_the_gateway_saw(bench: Bench) -> None:
    engine = bench.active()
    numbers = [buy(engine, quantity) for quantity in (1, 2, 3)]
    engine.must("intent", type="cancel", urn=numbers[0])
    bench.count("order", 3)
    bench.count("cancel", 1)
    engine.wait_metric("engine_orders_sent_total", 3)
    engine.wait_metric("engine_cancels_sent_total", 1)
