"""A seeded sample of the kill points (all of them: tests/drill/test_kill_points.py), and agents with a
planted mistake.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.install.build import build_zipapp
from tests.integration.agent.planted_agents import plant
from tests.integration.agent.write_order import TRACE, broken_rules
from tests.support import needs
from tests.support.kill_harness import Fault, Trials, full_disk

pytestmark = [pytest.mark.long, needs.programs("strace")]
SAMPLE = 20


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "agent.pyz"
    build_zipapp(path)
    return path


@pytest.fixture
def trials(agent: Path, tmp_path: Path) -> Iterator[Trials]:
    yield Trials(agent, tmp_path)


def test_a_sample_of_kill_points_leaves_the_host_all_old_or_all_new(trials: Trials) -> None:
    seed = int(os.environ.get("HFT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"HFT_SEED={seed}")
    for fault in random.Random(seed).sample(trials.faults(), SAMPLE):
        trials.run(fault)
    assert sum(trials.seen.values()) == SAMPLE


def test_an_undisturbed_run_is_durable_before_it_answers(trials: Trials) -> None:
    assert broken_rules(trials.log(TRACE), str(trials.directory / "host")) == []


@pytest.mark.parametrize(
    ("mistake", "finding"),
    [
        ("no fsync of files", "renamed before it was synced"),
        ("no fsync of directories", "its directory is not synced"),
        ("done is not durable", "`done` is not synced"),
    ],
)
def test_an_agent_that_leaves_out_a_sync_is_caught(
    agent: Path, tmp_path: Path, mistake: str, finding: str
) -> None:
    trials = Trials(plant(agent, mistake, tmp_path / "planted"), tmp_path)
    assert any(finding in rule for rule in broken_rules(trials.log(TRACE), str(tmp_path / "host")))


def test_an_agent_that_writes_in_place_is_caught(agent: Path, tmp_path: Path) -> None:
    trials = Trials(plant(agent, "write in place", tmp_path / "planted"), tmp_path)
    whole = trials.counts(("write",))["write"]
    with pytest.raises(AssertionError, match="neither old nor new"):
        for nth in range(whole - 25, whole):
            trials.run(Fault(call="write", nth=nth))


def test_an_agent_that_does_not_recover_is_caught(agent: Path, tmp_path: Path) -> None:
    trials = Trials(plant(agent, "no recovery", tmp_path / "planted"), tmp_path)
    with pytest.raises(AssertionError, match="mixed after recovery"):
        trials.run(Fault(call="symlinkat", nth=1))


@needs.root("mounting a small tmpfs")
def test_a_really_full_disk_leaves_the_host_as_it_was(agent: Path, tmp_path: Path) -> None:
    sides = full_disk(agent, tmp_path, stride=24)
    assert sides["old"] >= 2
    assert sides["new"] == 3
