"""Seeded failovers of holders that die or freeze at a random instant, one after another: the venue judges.

Every round the holder is killed or stopped while it trades, `hft failover failover` moves the epoch to the
other slot, and the old one comes back: thawed, so that it sends, or started again. HFT_ROUNDS and HFT_SEED
change how many and which; a seed that failed is in the message.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from .old_holders import violations, woken
from .production import Production
from .runbook import OnCall

pytestmark = pytest.mark.engine
SEED = int(os.environ.get("HFT_SEED", "1"))
ROUNDS = int(os.environ.get("HFT_ROUNDS", "6"))


def test_no_order_of_an_old_epoch_is_accepted_whenever_the_holder_dies_or_freezes(native: Path) -> None:
    chance, refused, took_ms = random.Random(SEED), 0, []
    with ExitStack() as stack:
        chain = Production(native, stack)
        for slot in "ab":
            chain.standby(slot)
        oncall = OnCall(chain)
        holder, spare = "a", "b"
        epoch = oncall.moves("failover", holder)["epoch"]
        for _ in range(ROUNDS):
            chain.trade_until(epoch, 2)
            is_frozen = chance.random() < 0.5
            time.sleep(chance.uniform(0, 0.1))
            old = chain.running(holder)
            old.signal(signal.SIGSTOP if is_frozen else signal.SIGKILL)
            moved = oncall.moves("failover", spare)
            took_ms.append(moved["fence_ms"] + moved["promote_ms"])
            chain.trade_until(moved["epoch"], 2)
            if is_frozen:
                refused += woken(chain, holder, moved["epoch"])
            else:
                chain.standby(holder)
            holder, spare, epoch = spare, holder, moved["epoch"]
        told = f"seed {SEED}: {ROUNDS} rounds, {refused} late orders refused, {sorted(took_ms)} ms"
        print(told)
        assert violations(chain.log("accepted")) == [], told
        assert chain.account()["ignored"] == 0, told


def test_the_judge_sees_a_stale_order_and_a_doubled_one() -> None:
    log = [{"type": "O", "epoch": epoch, "clordid": f"{epoch}-{at}"} for at, epoch in enumerate((1, 2, 1))]
    assert violations(log) == ["order 1-2 of epoch 1 after epoch 2"]
    assert violations([log[0], log[0]]) == ["1-0 accepted 2 times"]
