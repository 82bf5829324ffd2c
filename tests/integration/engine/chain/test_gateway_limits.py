"""The gateway's own limits hold when the engine's checks are gone: a drill build of the engine lets all pass.

`--drill-no-risk` exists only in a build made with -DHFT_DRILL=ON, and that build takes no production tickets.
The gateway is the one that ships, with a signed limits file of its own.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.conformance.process import Engine, request
from engine.ticket.limits import sign_limits
from tests.support.commands import called
from tests.support.engine.chain import ASK_E4, BID_E4, SYMBOL, Chain, buy, sell
from tests.support.engine.tickets import limits_document, make_keys

DRILL: tuple[str, tuple[str, ...]] = ("drill", ("hft-engine",))
NATIVE_BUILDS = (DRILL,)
OPTION = "--drill-no-risk"
LARGEST, DEAREST_E4, PER_SECOND = 100, 100 * BID_E4, 4
TRIES = 5
pytestmark = pytest.mark.engine
Make = Callable[..., Chain]
BEYOND = {
    "limit.quantity": buy(LARGEST + 1, 10_000),
    "limit.notional": buy(LARGEST, BID_E4 + 100),
    "limit.symbol": buy(1, symbol="BBB"),
}
ENGINES_OWN = {
    "limit.quantity": "risk.size",
    "limit.notional": "risk.notional",
    "limit.symbol": "risk.symbol",
}


@pytest.fixture
def drill_engine(drill_build: Callable[[str], Path]) -> Path:
    return drill_build("hft-engine")


@pytest.fixture
def guarded(make_chain: Make, tmp_path: Path) -> Iterator[Chain]:
    """Engine and gateway hold the same limits, each by itself."""
    keys = make_keys(tmp_path, "eng-1")
    document = limits_document(
        1,
        symbols=[SYMBOL],
        order_quantity_max_shares=LARGEST,
        order_notional_max_e4=DEAREST_E4,
        orders_per_s_max=PER_SECOND,
        positions_at_open={"ACC1": {SYMBOL: 1_000}},
    )
    sign_limits(document, tmp_path / "limits.json", keys.authority)
    signed = {
        "limits_file": str(tmp_path / "limits.json"),
        "authority_signers": str(keys.authority_signers),
    }
    chain = make_chain(slots="a", gateway=signed)
    chain.until(lambda: chain.gateway.verb("status")["limits"]["code"] == "ok", "the gateway's limits")
    chain.seats["a"].limits(
        serial=2,
        symbols=[SYMBOL],
        order_quantity_max=LARGEST,
        order_notional_max_e4=DEAREST_E4,
        messages_per_second_max=PER_SECOND,
        position_max=LARGEST,
        open_orders_max=1,
    )
    yield chain


def refusals(chain: Chain) -> list[str]:
    return [line["code"] for line in chain.gateway.lines("refusals") if line["event"] == "refuse"]


def decided(chain: Chain, count: int) -> bool:
    """Whether the gateway has passed or refused COUNT orders."""
    return len(chain.orders()) + len(refusals(chain)) >= count


def test_with_its_checks_the_engine_refuses_by_itself_and_the_gateway_has_nothing_to_do(
    guarded: Chain,
) -> None:
    engine = guarded.seats["a"].active(1)
    for code, intent in BEYOND.items():
        engine.must_not(ENGINES_OWN[code], "intent", **intent)
    engine.must("intent", **buy(LARGEST))
    guarded.wait_open(1)
    assert refusals(guarded) == []
    assert guarded.orders() == [1]


def test_without_its_checks_the_gateway_stops_every_order_beyond_its_limits(
    guarded: Chain, drill_engine: Path
) -> None:
    engine = guarded.seats["a"].active(1, program=drill_engine, more=(OPTION,))
    for intent in BEYOND.values():
        engine.must("intent", **intent)
    guarded.until(lambda: refusals(guarded) == list(BEYOND), "three refusals")
    engine.wait_status("that it heard of them", lambda status: status["open_orders"] == 0)
    assert guarded.orders() == []
    time.sleep(1.1)
    engine.must("intent", **buy(LARGEST, BID_E4))
    engine.must("intent", **sell(1, ASK_E4))  # the engine's own limit is one open order
    guarded.wait_open(2)
    assert guarded.orders() == [4, 5]
    assert engine.stop() == 0


def test_without_its_checks_the_gateway_stops_the_order_too_many_in_a_second(
    guarded: Chain, drill_engine: Path
) -> None:
    engine = guarded.seats["a"].active(1, program=drill_engine, more=(OPTION,))
    for _ in range(TRIES):
        known, begun = len(guarded.orders()), time.monotonic()
        burst(engine, PER_SECOND + 1)
        all_decided = functools.partial(decided, guarded, known + PER_SECOND + 1)
        guarded.until(all_decided, "a verdict for each order")
        if time.monotonic() - begun < 0.9:
            assert refusals(guarded) == ["limit.orders_per_s"]
            assert len(guarded.orders()) == known + PER_SECOND
            return
        assert not refusals(guarded) or set(refusals(guarded)) == {"limit.orders_per_s"}
        time.sleep(1.1)
    pytest.fail(f"five orders were not forwarded within 0.9 s in {TRIES} tries")


def burst(engine: Engine, count: int) -> None:
    answers = engine.raw(*(request("intent", **buy(n, BID_E4)) for n in range(1, count + 1)))
    assert all(answer["ok"] for answer in answers), answers


def test_the_drill_build_says_what_it_is_and_takes_no_production_tickets(
    guarded: Chain, drill_engine: Path, native: Path
) -> None:
    assert json.loads(called(drill_engine, "--version", "--json").stdout)["drill_build"] is True
    shipped = native / "bin" / "hft-engine"
    assert "drill_build" not in json.loads(called(shipped, "--version", "--json").stdout)
    seat = guarded.seats["a"]
    path = seat.directory / "config.json"
    assert called(shipped, "--check", "--config", str(path), OPTION).returncode == 64, "no such option"
    for change in ({"egress": "live"}, {"ticket_socket": "/run/ticket.sock"}):
        path.write_text(json.dumps(seat.config | change))
        refused = called(drill_engine, "--check", "--config", str(path))
        assert refused.returncode == 64
        assert "drill build" in refused.stderr
        assert called(shipped, "--check", "--config", str(path)).returncode == 0
