"""A copy of the leader's journal makes an engine that knows what the leader knew; drop copy must agree.

How the copy gets to another host (the shipping of records, durability `replica:N`) is not part of this: here
the files of a running leader are copied. What is shown is that the records carry the whole state.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.contract.journal import Kind, Record
from tests.support.engine.chain import ASK_E4, BID_E4, Chain, Seat, buy, sell
from tests.support.engine.journals import replayed, rewrite

Make = Callable[..., Chain]
MIDDLE_E4 = 1_000_000
WINDOW = {"duplicate_window_ms": 60_000, "messages_per_second_max": 10_000}
LIMITS = {"position_max": 100, "open_orders_max": 3, **WINDOW}
REFUSED = {
    "risk.position": buy(46, BID_E4 - 200),
    "risk.duplicate": buy(30, BID_E4),
    "risk.self_trade": buy(1, ASK_E4),
}


def trade_a_little(chain: Chain, seat: Seat) -> None:
    """25 long, three orders working; the next buy of 46 would be one too many."""
    engine = seat.active(1)
    engine.must("intent", **buy(25, MIDDLE_E4))
    chain.wait_open(1)
    chain.trade("S", 25, MIDDLE_E4)
    engine.wait_status("the fill", lambda status: status["positions"] == {"AAA": 25})
    engine.must("intent", **buy(30, BID_E4))
    engine.must("intent", **sell(10, ASK_E4))
    for code, intent in REFUSED.items():
        engine.must_not(code, "intent", **intent)
    chain.wait_open(2)
    engine.wait_status("its answers", lambda status: status["open_orders"] == 2)


@pytest.fixture
def pair(make_chain: Make) -> tuple[Chain, Seat, Seat]:
    """Leader and replica with the same limits; open orders are kept when the epoch changes."""
    chain = make_chain(gateway={"on_fence": "keep"})
    leader, replica = chain.seats["a"], chain.seats["b"]
    leader.limits(serial=2, **LIMITS)
    for name in ("limits", "limits.sig"):
        shutil.copyfile(leader.directory / name, replica.directory / name)
    return chain, leader, replica


def copy_journal(leader: Seat, replica: Seat) -> None:
    """Journal and latch: a journal whose latch file is missing starts HALTED."""
    shutil.copyfile(leader.directory / "latch", replica.directory / "latch")
    shutil.rmtree(replica.directory / "journal")
    shutil.copytree(leader.directory / "journal", replica.directory / "journal")


@pytest.mark.engine
def test_an_engine_from_a_copy_of_the_journal_knows_and_refuses_what_the_leader_did(
    pair: tuple[Chain, Seat, Seat], native: Path
) -> None:
    chain, leader, replica = pair
    trade_a_little(chain, leader)
    running = leader.engine
    assert running is not None
    digest = running.must("digest")  # told only once everything before it is on disk
    copy_journal(leader, replica)
    assert replayed(native, replica.directory / "journal")["state_digest"] == digest["state_digest"]
    running.sigkill()
    digests = {seat.standby().must("digest")["state_digest"] for seat in (leader, replica)}
    assert len(digests) == 1, "two engines started from the same records are in the same state"
    engine = replica.engine
    assert engine is not None
    before = chain.orders()
    engine.must("promote", epoch=2)
    status = engine.wait_status("ACTIVE", lambda status: status["state"] == "ACTIVE")
    assert (status["positions"], status["open_orders"]) == ({"AAA": 25}, 2)
    for code, intent in REFUSED.items():
        engine.must_not(code, "intent", **intent)
    assert chain.orders() == before
    engine.must("intent", **buy(45, BID_E4 - 200))
    chain.until(lambda: len(chain.orders()) == len(before) + 1, "the order at the limit")
    assert engine.stop() == 0
    chain.wait_open(0)


@pytest.mark.engine
def test_a_journal_that_disagrees_with_the_drop_copy_is_not_promoted(
    pair: tuple[Chain, Seat, Seat],
) -> None:
    chain, leader, replica = pair
    trade_a_little(chain, leader)
    running = leader.engine
    assert running is not None
    running.must("digest")
    copy_journal(leader, replica)
    running.sigkill()

    def one_share_less(record: Record) -> Record:
        fill = record.kind == Kind.RESPONSE and record.payload[:1] == b"E"
        return dataclasses.replace(record, payload=fewer(record.payload)) if fill else record

    assert rewrite(replica.directory / "journal", one_share_less) == 1
    for seat in (leader, replica):
        seat.with_drop_copy()
    engine = replica.standby()
    assert engine.status()["positions"] == {"AAA": 24}
    before = chain.orders()
    engine.must_not("not_reconciled", "promote", epoch=2)
    engine.must_not("not_active", "intent", **buy(1))
    assert engine.state() == "STANDBY"
    assert chain.orders() == before
    engine = leader.standby()  # the untouched journal agrees with the same drop copy
    engine.must("promote", epoch=3)
    engine.wait_state("ACTIVE")
    engine.must("intent", **buy(1))
    chain.until(lambda: len(chain.orders()) == len(before) + 1, "an order of the reconciled engine")


def fewer(executed: bytes) -> bytes:
    """Order Executed with one share less (OUCH 5.0 section 3.5: quantity at offset 13)."""
    quantity = int.from_bytes(executed[13:17], "big")
    return executed[:13] + (quantity - 1).to_bytes(4, "big") + executed[17:]
