"""Every risk rule through the whole chain: at the limit it trades, one more is refused, also after a restart.

An order is asked for with `intent`, which goes through the engine's real checks and egress. What passed is
what the venue accepted; what was refused never reached it. Then the engine is killed with SIGKILL and started
again from its journal: the same order is refused again, so the counter behind the rule came back.
"""

from __future__ import annotations

import itertools
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.conformance.process import Answer, Engine, request
from tests.support.engine.chain import ASK_E4, BID_E4, Chain, Seat, buy, sell
from tests.support.engine.journals import assert_replays

MIDDLE_E4 = 1_000_000
Make = Callable[..., Chain]
Intent = dict[str, object]
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: limits, what must happen before, orders up to the limit, and the one beyond it."""

    code: str
    limits: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Chain, Engine], None] = lambda chain, engine: None
    passing: tuple[Intent, ...]
    refused: Intent


def more_refused_than(count: int) -> Callable[[Answer], bool]:
    """Whether a status tells of more than COUNT refused limits files."""
    return lambda status: bool(status["limits"]["refused"] > count)


def bought(chain: Chain, engine: Engine, quantity: int, price_e4: int = MIDDLE_E4) -> None:
    """We buy from BOB."""
    engine.must("intent", **buy(quantity, price_e4))
    chain.wait_open(1)
    chain.trade("S", quantity, price_e4)
    engine.wait_status("the fill", lambda status: status["open_orders"] == 0)


def sold(chain: Chain, engine: Engine, quantity: int, price_e4: int) -> None:
    """We sell to BOB."""
    chain.trade("B", quantity, price_e4)
    engine.must("intent", **sell(quantity, price_e4))
    engine.wait_status("the fill", lambda status: status["open_orders"] == 0)


def long_twenty(chain: Chain, engine: Engine) -> None:
    bought(chain, engine, 20)


def loss_at_the_limit(chain: Chain, engine: Engine) -> None:
    bought(chain, engine, 10)
    sold(chain, engine, 10, MIDDLE_E4 - 10_000)
    assert engine.state() == "ACTIVE"


def loss_beyond_the_limit(chain: Chain, engine: Engine) -> None:
    loss_at_the_limit(chain, engine)
    bought(chain, engine, 1)
    sold(chain, engine, 1, MIDDLE_E4 - 100)
    engine.wait_state("REDUCING")


def executions_at_the_limit(chain: Chain, engine: Engine) -> None:
    bought(chain, engine, 1)
    assert engine.state() == "ACTIVE"
    bought(chain, engine, 2)
    engine.wait_state("REDUCING")


RULES = {
    "symbol": Rule(
        code="risk.symbol", limits={"symbols": ["AAA"]}, passing=(buy(),), refused=buy(symbol="BBB")
    ),
    "size": Rule(code="risk.size", limits={"order_quantity_max": 100}, passing=(buy(100),), refused=buy(101)),
    "notional": Rule(
        code="risk.notional",
        limits={"order_notional_max_e4": 100 * BID_E4},
        passing=(buy(100, BID_E4),),
        refused=buy(100, BID_E4 + 100),
    ),
    "gross": Rule(
        code="risk.gross",
        limits={"gross_notional_max_e4": 300 * BID_E4},
        passing=(buy(200), buy(100, symbol="BBB")),
        refused=buy(1),
    ),
    "collar of a buy": Rule(
        code="risk.collar",
        limits={"collar_bps": 100},
        passing=(buy(10, ASK_E4 + ASK_E4 // 100),),
        refused=buy(11, ASK_E4 + ASK_E4 // 100 + 100),
    ),
    "collar of a sell": Rule(
        code="risk.collar",
        limits={"collar_bps": 100},
        passing=(sell(10, BID_E4 - BID_E4 // 100),),
        refused=sell(11, BID_E4 - BID_E4 // 100 - 100),
    ),
    "long position": Rule(
        code="risk.position",
        limits={"position_max": 100},
        before=long_twenty,
        passing=(buy(50), buy(30)),
        refused=buy(1),
    ),
    "short position": Rule(
        code="risk.position",
        limits={"position_max": 100},
        before=long_twenty,
        passing=(sell(120),),
        refused=sell(1),
    ),
    "open orders": Rule(
        code="risk.open_orders", limits={"open_orders_max": 2}, passing=(buy(1), buy(2)), refused=buy(3)
    ),
    "duplicate": Rule(
        code="risk.duplicate",
        limits={"duplicate_window_ms": 60_000, "messages_per_second_max": 10_000},
        passing=(buy(10), buy(11), buy(10, BID_E4 - 100)),
        refused=buy(10),
    ),
    "self-trade": Rule(
        code="risk.self_trade",
        passing=(sell(10, MIDDLE_E4), buy(10, MIDDLE_E4 - 100)),
        refused=buy(5, MIDDLE_E4),
    ),
    "daily loss at its limit": Rule(
        code="risk.size",  # such a loss still lets orders out: what stops the next one is its size
        limits={"daily_loss_max_e4": 100_000, "order_quantity_max": 100},
        before=loss_at_the_limit,
        passing=(buy(100),),
        refused=buy(101),
    ),
    "daily loss": Rule(
        code="risk.daily_loss",
        limits={"daily_loss_max_e4": 100_000},
        before=loss_beyond_the_limit,
        passing=(),
        refused=buy(1),
    ),
    "repeated execution": Rule(
        code="risk.repeated",
        limits={"repeated_executions_max": 2},
        before=executions_at_the_limit,
        passing=(sell(3),),  # what brings the position nearer to zero may still leave
        refused=buy(1),
    ),
}


@pytest.fixture
def keeping(make_chain: Make) -> Chain:
    """One seat; the gateway keeps open orders when a new epoch claims."""
    return make_chain(slots="a", gateway={"on_fence": "keep"})


def again(seat: Seat, epoch: int) -> Engine:
    """SIGKILL, a start from the journal, and a promotion; what it remembers may make it REDUCING at once."""
    assert seat.engine is not None
    seat.engine.sigkill()
    engine = seat.standby()
    engine.must("promote", epoch=epoch)
    engine.wait_state("ACTIVE", "REDUCING")
    return engine


@pytest.mark.engine
@pytest.mark.parametrize("name", RULES)
def test_at_the_limit_it_trades_one_more_is_refused_and_so_after_a_restart(
    name: str, keeping: Chain, native: Path
) -> None:
    rule, seat = RULES[name], keeping.seats["a"]
    seat.limits(serial=2, **rule.limits)
    engine = seat.active(1)
    rule.before(keeping, engine)
    filled = len(keeping.orders())
    for intent in rule.passing:
        engine.must("intent", **intent)
    keeping.until(lambda: len(keeping.orders()) == filled + len(rule.passing), "the orders at the limit")
    before = keeping.orders()
    engine.must_not(rule.code, "intent", **rule.refused)
    open_orders = engine.status()["open_orders"]
    engine = again(seat, 2)
    status = engine.wait_status("the same orders", lambda status: status["open_orders"] == open_orders)
    engine.must_not(rule.code, "intent", **rule.refused)
    assert keeping.account()["open_orders"] == status["open_orders"]
    assert keeping.orders() == before, "nothing that was refused reached the venue, and nothing went twice"
    assert engine.stop() == 0, engine.last_line()
    assert_replays(native, seat.directory / "journal", engine.last_line())


@pytest.mark.engine
def test_rate_counts_cancels_never_refuses_them_and_survives_a_restart(keeping: Chain) -> None:
    seat, epochs = keeping.seats["a"], itertools.count(1)
    seat.limits(serial=2, messages_per_second_max=5)
    engine = seat.active(next(epochs))
    live = restarted = False
    for n in range(1, TRIES + 1):
        time.sleep(1.1)
        begun = time.monotonic()
        orders = engine.raw(*(request("intent", **buy(n, BID_E4 - 100 * k)) for k in (1, 2, 3)))
        urns = [answer["urn"] for answer in orders]
        cancels = [request("intent", type="cancel", urn=urn) for urn in urns]
        later = engine.raw(cancels[0], cancels[1], request("intent", **buy(n)), cancels[2])
        if time.monotonic() - begun < 0.9:
            seen = [answer["ok"] or answer["code"] for answer in (*orders, *later)]
            assert seen == [True] * 5 + ["risk.rate", True]
            live = True
        engine = again(seat, next(epochs))
        answer = engine.ask("intent", **buy(n))
        if time.monotonic() - begun < 0.9:
            assert answer["code"] == "risk.rate"
            restarted = True
        if live and restarted:
            return
    pytest.fail(f"no restart was over within 0.9 s in {TRIES} tries")


@pytest.mark.engine
def test_a_silent_venue_makes_the_feed_stale_and_no_order_leaves(keeping: Chain) -> None:
    seat = keeping.seats["a"]
    seat.config["feed_stale_ms"] = 1000
    engine = seat.active(1)
    engine.must("intent", **buy(1))
    keeping.wait_open(1)
    keeping.venue.process.send_signal(signal.SIGSTOP)
    try:
        engine.wait_status("a stale feed", lambda status: not status["feed"]["fresh"])
        engine.must_not("risk.stale_feed", "intent", **buy(2))
    finally:
        keeping.venue.process.send_signal(signal.SIGCONT)
    engine.wait_status("a fresh feed", lambda status: status["feed"]["fresh"])
    assert keeping.orders() == [1]


@pytest.mark.engine
def test_an_open_gap_stops_orders(keeping: Chain) -> None:
    seat = keeping.seats["a"]
    engine = seat.active(1)
    engine.must("intent", **buy(1))
    keeping.wait_open(1)
    status = engine.status()["feed"]
    session = keeping.venue.ready["session"].ljust(10).encode()
    line = seat.config["feeds"][0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as publisher:
        # A heartbeat that promises messages which no retransmission server has.
        ahead = struct.pack(">10sQH", session, status["next_sequence"] + 5, 0)
        publisher.sendto(ahead, (line["group"], line["port"]))
    engine.wait_status("a gap", lambda status: status["feed"]["gapped"])
    engine.must_not("risk.gapped_feed", "intent", **buy(2))
    assert keeping.orders() == [1]


@pytest.mark.engine
def test_expired_limits_stop_orders_and_never_cancels(keeping: Chain) -> None:
    lasts_s, seat = 4.0, keeping.seats["a"]
    ends = time.monotonic() + lasts_s
    seat.limits(serial=2, lasts_s=lasts_s)
    engine = seat.active(1)
    urn = engine.must("intent", **buy(1))["urn"]
    keeping.wait_open(1)
    time.sleep(max(0.0, ends - time.monotonic()) + 0.1)
    engine.must_not("risk.limits_expired", "intent", **buy(2))
    engine.must("intent", type="cancel", urn=urn)
    keeping.wait_open(0)
    assert keeping.orders() == [1]
    engine.sigkill()
    assert seat.launch().wait_exit(or_ready=True) == 64
    assert "expired" in seat.engine.stderr()  # type: ignore[union-attr]


@pytest.mark.engine
def test_an_older_or_looser_signed_file_is_refused_while_running_and_after_a_restart(keeping: Chain) -> None:
    seat = keeping.seats["a"]
    seat.limits(serial=3, order_quantity_max=100)
    engine = seat.active(1)
    for serial in (2, 3):  # older; the same serial with other bytes
        refused = engine.must("limits")["refused"]
        seat.limits(serial=serial, order_quantity_max=1_000)
        engine.signal(signal.SIGHUP)
        engine.wait_status("the refusal", more_refused_than(refused))
        engine.must_not("risk.size", "intent", **buy(101))
    engine.sigkill()
    for serial in (2, 3):
        seat.limits(serial=serial, order_quantity_max=1_000)
        assert seat.launch().wait_exit(or_ready=True) == 64
    seat.limits(serial=4, order_quantity_max=101)
    engine = seat.active(2)
    engine.must("intent", **buy(101))
    keeping.wait_open(1)
    engine.must_not("risk.size", "intent", **buy(102))
