"""A release goes live and comes back, on the real venue, gateway and engines; no step before it is due."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hft.releases.kept import change
from release.rollout import Rollout

from .rollout import SITE, Operator, TwoReleases, in_order

pytestmark = pytest.mark.engine
SEED = int(os.environ.get("HFT_SEED", "1"))
ROUNDS = int(os.environ.get("HFT_ROUNDS", "40"))


def test_a_release_goes_live_step_by_step_and_a_rollback_brings_the_old_one_back(
    native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        chain = TwoReleases(native, stack)
        for slot in "ac":
            chain.standby(slot)
        chain.role("shadow", 1)
        operator = Operator(chain)
        monkeypatch.setenv("HFT_STATE", str(operator.state))
        assert operator.unmet() == {"holder_trades"}, "nobody trades yet"
        first = operator.moves("failover", "a")["epoch"]
        assert operator.step()["stage"] == "replayed"
        shadowed(chain, operator, first)
        canary = traded_as_canary(chain, operator)
        promoted = accepted_and_promoted(chain, operator)
        on_a_later_day(chain, operator)
        start = time.monotonic()
        back = operator.release(0, "rollback", "--reason", "drill")
        assert back["stage"] == "rolled_back" and {one["verdict"] for one in back["proofs"]} == {"ok"}
        last = operator.told(0, "status")["epoch"]
        chain.trade_until(last, 1)
        print(f"rollback: {back['ms']} ms, first order after {time.monotonic() - start:.2f} s, status asked")
        assert first < canary < promoted < last
        assert in_order(chain.log("accepted")) and chain.account()["ignored"] == 0
        assert operator.release(2, "rollback", "--reason", "again")["error"].count("rolled back already")


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_hand_overs_and_rollbacks_that_are_killed_anywhere_are_gone_on_with(
    native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, cut = random.Random(SEED), 0
    with ExitStack() as stack:
        chain = TwoReleases(native, stack)
        for slot in "ac":
            chain.standby(slot)
        chain.role("canary", 1)
        operator = Operator(chain)
        monkeypatch.setenv("HFT_STATE", str(operator.state))
        operator.approve("b", "canary", "alice", "bob")
        operator.moves("failover", "a")
        operator.step()
        for number in range(ROUNDS):
            change(SITE, lambda now: replace(known(now), stage="shadowed", revision=known(now).revision + 1))
            plan = operator.release(3, "plan")["plan"]
            cut += killed(chance, operator, "next", "--plan", plan)
            if kept(operator)["stage"] != "canary":
                operator.step()
            chain.trade_until(operator.told(0, "status")["epoch"], 1)
            cut += killed(chance, operator, "rollback")
            if kept(operator)["stage"] != "rolled_back":
                operator.release(0, "rollback", "--reason", "again")
            assert operator.told(0, "status")["holder"] == "eng-1/a", f"seed {SEED}, round {number}"
            chain.trade_until(operator.told(0, "status")["epoch"], 1)
        print(f"seed {SEED}: {ROUNDS} rounds, {cut} commands killed before they ended")
        assert in_order(chain.log("accepted")) and chain.account()["ignored"] == 0


def killed(chance: random.Random, operator: Operator, *words: str) -> bool:
    """Whether the command was still at it when it was killed, at a random moment."""
    with operator.start(*words, "--reason", "drill") as child:
        with suppress(subprocess.TimeoutExpired):
            child.wait(chance.uniform(0.3, 4.0))
        was_at_it = child.poll() is None
        child.kill()
    return was_at_it


def known(now: Rollout | None) -> Rollout:
    assert now is not None
    return now


def shadowed(chain: TwoReleases, operator: Operator, epoch: int) -> None:
    """The candidate decides beside the leader and sends nothing; both journals are decided again."""
    assert operator.unmet() == {"approved", "slot_reports"}
    operator.approve("b", "shadow", "alice")
    assert "approved" in operator.unmet(), "one person is not two"
    operator.approve("b", "shadow", "bob")
    assert operator.step()["stage"] == "shadowing"
    assert chain.running("b").state() == "ACTIVE" and operator.told(0, "status")["holder"] == "eng-1/a"
    chain.trade_until(epoch, 3)
    chain.copy_journals()
    assert operator.step()["stage"] == "shadowed"


def traded_as_canary(chain: TwoReleases, operator: Operator) -> int:
    """Small limits, approved; the hand-over is killed in the middle and gone on with."""
    assert "slot_reports" in operator.unmet(), "it still is a shadow"
    chain.role("canary", 2)
    operator.approve("b", "canary", "alice", "bob")
    plan = operator.release(3, "plan")["plan"]
    with operator.start("next", "--plan", plan, "--reason", "drill") as child:
        chain.until(lambda: kept(operator).get("moving"), "the intent on disk")
        child.kill()
    assert operator.release(5, "status")["moving"]["to"] == "eng-1/b"
    done = operator.step()
    assert done["stage"] == "canary" and done["moving"] is None
    epoch = int(operator.told(0, "status")["epoch"])
    chain.trade_until(epoch, 2)
    return epoch


def accepted_and_promoted(chain: TwoReleases, operator: Operator) -> int:
    """Judged, handed back, given its own limits, promoted."""
    runs = operator.folder / "canary.jsonl"
    good = runs.read_text()
    runs.write_text("")
    assert operator.unmet() == {"judged"}
    runs.write_text(good)
    operator.release(0, "hold", "--reason", "a look at it")
    assert "not_held" in operator.unmet()
    operator.release(0, "hold", "--lift", "--reason", "seen")
    assert operator.step()["stage"] == "accepted"
    assert operator.told(0, "status")["holder"] == "eng-1/a"
    chain.role("live", 3)
    operator.approve("b", "live", "alice", "bob")
    assert operator.step()["stage"] == "promoted"
    epoch = int(operator.told(0, "status")["epoch"])
    chain.trade_until(epoch, 2)
    return epoch


def on_a_later_day(chain: TwoReleases, operator: Operator) -> None:
    """The spare waits for a later day, and the end for the spare."""
    assert operator.unmet() == {"not_same_day"}

    change(SITE, lambda now: replace(known(now), promoted_on="2026-01-01", revision=known(now).revision + 1))
    assert operator.step()["stage"] == "sparing"
    assert operator.unmet() == {"spares_report"}
    chain.running("c").signal(signal.SIGTERM)
    chain.has_candidate.add("c")
    chain.standby("c")
    operator.approve("c", "live", "alice", "bob")
    assert operator.step()["stage"] == "complete"
    assert operator.release(0, "status")["stage"] == "complete"


def kept(operator: Operator) -> dict[str, Any]:
    """The rollout's file, as it is now."""
    time.sleep(0.005)
    path = operator.state / "rollouts" / f"{SITE}.json"
    return dict(json.loads(path.read_bytes())) if path.exists() else {}
