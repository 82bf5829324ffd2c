"""Every kill point of a ten-step transaction, the same with a full disk, and kills inside of the recovery."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.install.build import build_zipapp
from tests.support.kill_harness import CALLS, Fault, Trials, full_disk

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "agent.pyz"
    build_zipapp(path)
    return path


def test_no_kill_point_and_no_failed_call_leaves_the_host_mixed(agent: Path, tmp_path: Path) -> None:
    trials = Trials(agent, tmp_path)
    faults = trials.faults()
    for fault in faults:
        trials.run(fault)
    print(f"{len(faults)} trials, 0 mixed: {dict(trials.seen)}")
    assert trials.seen["old"] and trials.seen["new"]


def test_a_recovery_that_is_killed_too_leaves_the_host_whole(agent: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("HFT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"HFT_SEED={seed}")
    dice = random.Random(seed)
    trials = Trials(agent, tmp_path)
    counts = trials.counts()
    for _ in range(150):
        cut = Fault(call="renameat", nth=dice.randint(2, counts["renameat"]))
        if dice.random() < 0.5:
            cut = Fault(call="pwrite64", nth=dice.randint(2, counts["pwrite64"]))
        again = Fault(call=dice.choice(CALLS), nth=dice.randint(1, 12))
        trials.run(cut, again)
    print(f"150 trials, 0 mixed: {dict(trials.seen)}")


def test_no_amount_of_free_space_leaves_the_host_mixed(agent: Path, tmp_path: Path) -> None:
    sides = full_disk(agent, tmp_path, stride=1)
    print(f"{sum(sides.values())} trials, 0 mixed: {sides}")
    assert sides["old"] >= 40
