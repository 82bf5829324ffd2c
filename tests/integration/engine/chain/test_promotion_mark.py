"""A promotion waits for the gateway's mark, not for silence, on an account that is filled all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.engine.chain import BID_E4, SYMBOL, Chain, buy

pytestmark = pytest.mark.engine
PRICE_E4 = BID_E4 + 100
FILL_EVERY_S = 0.1
PATIENCE_S = 5.0  # silence would never come


@contextmanager
def filled_all_the_time(chain: Chain) -> Iterator[None]:
    """BOB sells one share to the resting order ten times a second."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(FILL_EVERY_S):
            chain.trade("S", 1, PRICE_E4)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(20)


def bought(chain: Chain) -> int:
    """What the venue says: shares that left the resting order."""
    return sum(line["quantity"] for line in chain.log("executed"))


def test_a_spare_is_promoted_at_once_and_holds_every_fill_of_a_busy_account(
    make_chain: Callable[..., Chain],
) -> None:
    chain = make_chain(gateway={"on_fence": "keep"})
    chain.seats["a"].active(1).must("intent", **buy(500, PRICE_E4))
    chain.wait_open(1)
    spare = chain.seats["b"].standby()
    with filled_all_the_time(chain):
        chain.until(lambda: bought(chain) >= 5, "fills before the promotion")
        before, began = bought(chain), time.monotonic()
        spare.must("promote", epoch=2)
        spare.wait_state("ACTIVE")
        assert time.monotonic() - began < PATIENCE_S
        held = spare.status()["positions"].get(SYMBOL, 0)
        assert held >= before, "what the venue had said before the promotion is counted"
        chain.until(lambda: bought(chain) > held, "fills behind it")
    spare.wait_status(
        "every fill",
        lambda status: status["positions"].get(SYMBOL) == bought(chain) and bought(chain) > before,
    )
