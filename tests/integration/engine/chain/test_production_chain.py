"""Leader and spare in production mode: fence, kill, promotion, all of it signed; orders by the strategy."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .production import Production

pytestmark = pytest.mark.engine


@pytest.fixture
def chain(native: Path) -> Iterator[Production]:
    with ExitStack() as stack:
        yield Production(native, stack)


def test_leader_that_wakes_up_behind_a_fence_gets_no_order_out(chain: Production) -> None:
    leader = chain.standby("a")
    chain.standby("b")
    old = chain.promote("a")
    chain.trade_until(old, 3)
    leader.signal(signal.SIGSTOP)
    time.sleep(0.1)
    new = chain.promote("b")
    before = chain.orders_of(old)
    chain.trade_until(new, 3)
    leader.signal(signal.SIGCONT)
    chain.until(lambda: chain.refusals("stale_epoch", "eng-1/a"), "the refusal of what the old leader sends")
    leader.wait_state("STANDBY")
    chain.trade_until(new, 6)
    assert chain.orders_of(old) == before, "not one of the old epoch since the fence"
    assert chain.account()["ignored"] == 0 and chain.orders("rejected") == []


@pytest.mark.parametrize(("scope", "name"), [("account", "ACC1"), ("strategy", "imbalance"), ("site", "")])
def test_spare_is_not_promoted_after_a_kill_until_an_operator_says_so(
    chain: Production, scope: str, name: str
) -> None:
    leader, spare = chain.standby("a"), chain.standby("b")
    old = chain.promote("a")
    chain.trade_until(old, 3)
    answer = chain.gateway.verb("latch", scope=scope, id=name, reason="drill")
    forwarded = [line for line in chain.gateway.lines("messages") if line["event"] == "forward"]
    leader.sigkill()
    new = chain.fence("b")
    refused = spare.ask("promote", epoch=new)
    assert not refused["ok"] and "latched" in refused["detail"]
    for _ in range(10):
        chain.tilt()
        time.sleep(0.05)
    assert (chain.orders_of(new), spare.state()) == (0, "STANDBY")
    assert chain.orders_of(old) <= len([line for line in forwarded if line["type"] == "O"])
    assert answer["flattens"] is False
    assert chain.gateway.unlatch()["ok"]
    chain.trade_until(chain.promote("b"), 1)


def test_killed_engine_stays_out_until_its_scope_is_cleared_and_the_other_slot_may_trade(
    chain: Production,
) -> None:
    chain.standby("a")
    chain.standby("b")
    old = chain.promote("a")
    chain.trade_until(old, 3)
    chain.gateway.verb("latch", scope="engine", id="eng-1/a", reason="this one only")

    def refused() -> bool:
        chain.tilt()
        return chain.refusals("latched", "eng-1/a") >= 3

    chain.until(refused, "refused orders")
    before = chain.orders_of(old)
    chain.trade_until(chain.promote("b"), 3)
    assert chain.orders_of(old) == before
    chain.running("a").wait_state("STANDBY")  # it is stale as well, and hears so
    again = chain.running("a").ask("promote", epoch=chain.fence("a"))
    assert not again["ok"] and "latched" in again["detail"]


def test_released_engine_trades_and_a_stray_copy_with_its_manifest_does_not(chain: Production) -> None:
    stray = chain.directory / "stray"
    shutil.copytree(chain.release, stray)
    with (stray / "hft-engine").open("ab") as file:
        file.write(b"one byte more")
    chain.standby("a")
    chain.seats["b"].standby(conformance=False, program=stray / "hft-engine")
    refused = chain.running("b").ask("promote", epoch=chain.fence("b"))
    assert not refused["ok"] and "exe_not_released" in refused["detail"]
    chain.trade_until(chain.promote("a"), 1)
