"""A real engine trades, and comes back after its death, while strangers flood its gateway."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.contract.link import frame
from tests.support.engine.chain import Chain, buy
from tests.support.engine.strangers import flood, silent

pytestmark = pytest.mark.engine
HELLO = {"contract": "1.0.0", "slot": "nobody", "egress": "live", "ticket": None}
ORDERS, LIVES = 10, 3


def test_an_engine_trades_and_comes_back_while_strangers_flood_its_gateway(
    make_chain: Callable[..., Chain],
) -> None:
    chain = make_chain(slots="a")
    seat = chain.seats["a"]
    to = (chain.net.site, chain.gateway.port)
    words = frame("h", json.dumps(HELLO).encode())
    with flood(to, words) as counts, silent(to, 200, ("127.0.0.5", "127.0.0.6", "127.0.0.7")):
        for life in range(1, LIVES + 1):
            engine = seat.active(life)
            for quantity in range(1, ORDERS + 1):
                engine.must("intent", **buy(quantity))
            engine.wait_status("every order open", lambda status: status["open_orders"] == ORDERS)
            engine.sigkill()
            chain.until(lambda: chain.account()["open_orders"] == ORDERS, "the orders of this life alone")
    assert len(chain.orders()) == ORDERS * LIVES
    assert chain.orders("rejected") == []
    assert sum(counts) > 100, "it was a flood"
