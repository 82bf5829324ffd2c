"""The same freezes behind a gateway that does not fence: what the judge must be able to see.

A drill build told not to enforce epochs, on a test gateway (it refuses production tickets). A person promotes
the successor, since there is nothing to succeed to; then the old holder thaws and goes on.
"""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from engine.conformance.process import Engine
from tests.support.engine.chain import STRATEGY, Chain
from tests.support.waiting import until

from .old_holders import violations

DUE_S = 0.005


class Unfenced(Chain):
    """A chain whose gateway lets every epoch pass."""

    gateway_options = ("--test", "--drill-no-enforcement")

    def __init__(self, native: Path, stack: ExitStack, drill_gateway: Path) -> None:
        self._drill_gateway = drill_gateway
        super().__init__(native, stack)
        for seat in self.seats.values():
            seat.config["strategy"] = STRATEGY

    def _program(self, name: str) -> Path:
        return self._drill_gateway if name == "hft-gateway" else super()._program(name)

    def orders_of(self, epoch: int) -> int:
        """Accepted orders whose ClOrdID names the epoch."""
        return sum(line["type"] == "O" and line["epoch"] == epoch for line in self.log("accepted"))

    def trade_until(self, epoch: int, count: int) -> None:
        """Tilt the book until so many orders of the epoch are accepted."""

        def enough() -> bool:
            self.tilt()
            time.sleep(DUE_S)
            return self.orders_of(epoch) >= count

        self.until(enough, f"{count} orders of epoch {epoch}")


def unfenced_freeze(native: Path, drill_gateway: Path, chance: random.Random) -> list[str]:
    """One freeze; what the venue accepted that it should not have."""
    with ExitStack() as stack:
        chain = Unfenced(native, stack, drill_gateway)
        old, new = chain.seats["a"].active(1), chain.seats["b"].standby()
        stack.callback(thawed, old)
        chain.trade_until(1, 2)
        time.sleep(chance.uniform(0, 0.1))
        old.signal(signal.SIGSTOP)
        new.must("promote", epoch=2)
        new.wait_state("ACTIVE")
        chain.trade_until(2, 2)
        old.signal(signal.SIGCONT)
        before = chain.orders_of(1)

        def is_back() -> bool:
            chain.tilt()
            return chain.orders_of(1) > before

        try:
            until(is_back, "an order of the old holder", patience_s=10.0)
        except AssertionError:
            return []
        return violations(chain.log("accepted"))


def thawed(engine: Engine) -> None:
    """Whatever happened: a stopped process would not end."""
    engine.signal(signal.SIGCONT)
