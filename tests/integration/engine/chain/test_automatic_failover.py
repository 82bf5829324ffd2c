"""The gateway's own failover with real engines, signed successions and seeded faults: the venue's log judges.

One round of each fault here, and one with the fence off; `make drill-failover` has some hundreds. HFT_SEED
chooses the instants.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.contract.canonical import canonical
from engine.ticket.signing import FENCE_NAMESPACE, SUCCESSION_NAMESPACE, sign
from engine.toolchain.build import DRILL
from tests.support.keys import make_key

from .automatic import SILENCE_MS, Fault, Watched, drill
from .runbook import OnCall
from .stalls import Stalls
from .unfenced import unfenced_freeze

pytestmark = pytest.mark.engine
NATIVE_BUILDS = ((DRILL, ("hft-gateway",)),)
SEED = int(os.environ.get("HFT_SEED", "1"))
FAULTS: tuple[Fault, ...] = ("death", "freeze", "cut")


@pytest.fixture
def chain(native: Path) -> Iterator[Watched]:
    with ExitStack() as stack:
        made = Watched(native, stack)
        made.standby("a")
        made.standby("b")
        yield made


def test_each_fault_of_the_holder_moves_trading_and_nothing_stale_gets_through(native: Path) -> None:
    tally = drill(native, FAULTS, seed=SEED)
    print(tally)
    assert tally.violations == [], str(tally)
    assert tally.rounds == {"death": 1, "freeze": 1, "cut": 1} and tally.false == 0
    assert tally.refused >= 2, "a freeze or a cut counts only if the old holder sent afterwards"


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    with Stalls() as watching:
        yield watching


@pytest.mark.usefixtures("stalls")
def test_a_frozen_spare_or_gateway_takes_nothing_from_a_holder_that_beats(chain: Watched) -> None:
    epoch = chain.promote("a")
    chain.allow(epoch, "a", "b")
    chain.trade_until(epoch, 2)
    chain.running("b").signal(signal.SIGSTOP)
    time.sleep(1.5 * SILENCE_MS / 1000)
    chain.running("b").signal(signal.SIGCONT)
    chain.gateway.nudge(signal.SIGSTOP)
    time.sleep(2 * SILENCE_MS / 1000)
    chain.gateway.nudge(signal.SIGCONT)
    time.sleep(1.5 * SILENCE_MS / 1000)
    found = chain.automatic
    assert (found["takeovers"], chain.epoch) == (0, epoch) and found["stops"] >= 1
    assert chain.running("a").state() == "ACTIVE"


def test_a_frozen_spare_is_not_fenced_in_and_is_when_it_is_back(chain: Watched) -> None:
    epoch = chain.promote("a")
    chain.allow(epoch, "a", "b")
    chain.running("b").signal(signal.SIGSTOP)
    time.sleep(1.5 * SILENCE_MS / 1000)
    chain.running("a").sigkill()
    chain.until(lambda: chain.automatic["held_off_by"] == "successor_absent", "a page")
    assert chain.epoch == epoch
    chain.running("b").signal(signal.SIGCONT)
    chain.trade_soon(epoch + 1)


def test_only_what_the_authority_has_signed_and_approved_is_fenced_in(chain: Watched) -> None:
    epoch = chain.promote("a")
    good = chain.succession(epoch, "a", "b")
    forged = {**good, "succession": {**good["succession"], "loss_max_records": 2}}
    assert chain.gateway.verb("succession", **forged)["code"] == "succession_signature"
    payload = canonical(good["succession"])
    for key, space in (
        (chain.keys.authority, FENCE_NAMESPACE),
        (make_key(chain.directory / "mallory"), SUCCESSION_NAMESPACE),
    ):
        other = {**good, "signature": sign(payload, key, space)}
        assert chain.gateway.verb("succession", **other)["code"] == "succession_signature"
    assert chain.gateway.verb("succession", succession=good["succession"])["code"] == "succession_signature"
    other_release = chain.succession(epoch, "a", "b", approved=(("sha256:" + "0" * 64,) * 3,))
    assert chain.gateway.verb("succession", **other_release)["ok"]
    chain.running("a").sigkill()
    chain.until(lambda: chain.automatic["held_off_by"] == "not_approved", "a page")
    assert chain.epoch == epoch
    assert chain.gateway.verb("succession", **good)["ok"]
    chain.trade_soon(epoch + 1)


def test_with_the_fence_off_the_judge_sees_what_the_old_holder_sends(
    native: Path, drill_build: Callable[[str], Path]
) -> None:
    chance, gateway = random.Random(SEED), drill_build("hft-gateway")
    assert unfenced_freeze(native, gateway, chance), "a drill whose judge sees nothing proves nothing"


def test_on_call_signs_and_hands_in_a_succession_and_reads_what_came_of_it(chain: Watched) -> None:
    oncall = OnCall(chain)
    epoch = chain.promote("a")
    path = chain.directory / "succession.json"
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    words = ("--holder", "eng-1/a", "--to", "eng-1/b", "--silence-ms", SILENCE_MS, "--not-after", ends)

    def signed_for(number: int) -> None:
        made = oncall.hft(
            "succession", "sign", "--epoch", number, *words, "--loss-max-records", 1_000_000
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        path.write_text(made.stdout)

    signed_for(epoch + 7)
    refused = oncall.hft("succession", "arm", path, "--reason", "night shift")
    assert refused.returncode == 2 and "gw-1: epoch_moved" in refused.stdout, refused.stdout
    signed_for(epoch)
    armed = oncall.hft("succession", "arm", path, "--reason", "night shift")
    assert (armed.returncode, armed.stdout) == (0, "gw-1: kept on disk\n"), armed.stderr
    (seen,) = oncall.told(0, "status")["gateways"]
    assert (seen["armed"], seen["held_off"]) == (f"eng-1/b after {SILENCE_MS} ms of silence", "")
    chain.running("a").sigkill()
    chain.trade_soon(epoch + 1)
    events = oncall.told(0, "history")["events"]
    assert [one["verb"] for one in events if one["verb"] != "failover"] == ["arm", "arm", "automatic"]
    last = next(one for one in events if one["verb"] == "automatic")
    assert (last["by"], last["outcome"]) == ("gw-1", "ok") and last["reason"].startswith("eng-1/a: ")
    assert f"eng-1/b: epoch {epoch + 1}, epoch_seen {epoch}" in last["what"]
    assert oncall.hft("succession", "disarm", "--reason", "b is rebuilt").returncode == 0


def test_on_call_holds_it_off_with_planned_moves_and_lets_it_go(chain: Watched) -> None:
    oncall = OnCall(chain)
    epoch = chain.promote("a")
    chain.allow(epoch, "a", "b")
    paused = oncall.hft("pause", "--for", "20m", "--reason", "switch 3 is being replaced")
    assert (paused.returncode, "gw-1" in paused.stdout) == (0, True), paused.stdout + paused.stderr
    (seen,) = oncall.told(0, "status")["gateways"]
    (hold,) = seen["holds"]
    assert hold.startswith("pause for 1") and hold.endswith(": switch 3 is being replaced")
    found = oncall.told(2, "plan", "switchover", "--to", "eng-1/b")["preconditions"]
    assert [gate["code"] for gate in found if not gate["is_met"]] == ["not_paused"]
    chain.running("a").sigkill()
    chain.until(lambda: chain.automatic["held_off_by"] == "paused", "a page")
    assert chain.epoch == epoch
    assert oncall.hft("unpause", "--reason", "switch 3 is in place").returncode == 0
    chain.trade_soon(epoch + 1)
