"""Kills and failures at random moments of real runs; the 300-round campaign is in tests/drill."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import needs

pytestmark = [pytest.mark.engine, needs.stacks(), needs.stack_engine(), pytest.mark.timeout(1200)]
pytest.importorskip("pulumi")

from pulumi.automation.errors import CommandError  # noqa: E402

from stacks.errors import StackError, StackLockedError, UnsettledError  # noqa: E402
from stacks.rehearsal import objects  # noqa: E402
from stacks.runner.checkpoint import known_in, pending_in  # noqa: E402
from stacks.runner.mend import take_over  # noqa: E402
from stacks.runner.run import StackRun  # noqa: E402
from tests.support.stacks.soak import Soak, campaign  # noqa: E402

ROUNDS = 6  # of each seed: every kind of break once
GRAPH: list[dict[str, Any]] = [{"name": "net"}, {"name": "host", "needs": ["net"]}]


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Soak:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    return Soak(tmp_path)


def stray(soak: Soak, run: StackRun) -> set[str]:
    """The objects that no state knows."""
    known = {one.id for one in known_in(run.deployment())}
    return {one.id for one in objects.all_of(soak.world)} - known


@pytest.mark.parametrize("number", range(2))
def test_after_recover_and_up_the_world_is_what_the_state_says(soak: Soak, number: int) -> None:
    seed = int(os.environ.get("HFT_SEED", "12")) + number
    tally = campaign(soak.folder, seed, ROUNDS)
    assert not tally.faults, "\n".join(tally.faults)
    assert sum(tally.broken.values()) >= ROUNDS // 3, f"HFT_SEED={seed}: {tally.broken}"


def test_control_plain_cancel_and_up_makes_a_second_host(soak: Soak) -> None:
    run = soak.open(GRAPH, pause_s=0.5)
    assert soak.broken_up(run, "engine", 3)  # net is half made, net is whole, host is half made
    assert [one.operation for one in pending_in(run.deployment())] == ["creating"]
    with contextlib.suppress(CommandError):
        run.stack.cancel()
    run.stack.up()
    assert len(stray(soak, run)) == 1
    names = [one.name for one in objects.all_of(soak.world)]
    assert sorted(names) == ["host", "host", "net"]
    run.stack.refresh(clear_pending_creates=True)
    run.stack.destroy()
    assert len(stray(soak, run)) == 1  # it stays, for ever and unknown


def test_a_run_that_was_killed_is_refused_until_it_is_recovered_from(soak: Soak) -> None:
    run = soak.open(GRAPH, pause_s=0.5)
    assert soak.broken_up(run, "engine", 3)
    with pytest.raises(StackLockedError, match=r"pid \d+ is gone; hint: hft stack recover rehearsal"):
        run.preview(soak.folder / "plan")
    take_over(run.place, lambda _: None)
    with pytest.raises(UnsettledError, match=r"a run was cut off at host; hint: hft stack recover"):
        run.preview(soak.folder / "plan")
    run.settle(run.decide(), lambda _: None)
    run.up(None, lambda _: None)
    assert soak.faults(run, [{**row, "content": "", "place": ""} for row in GRAPH]) == []


def test_a_whole_object_of_a_killed_run_is_adopted_and_not_made_again(soak: Soak) -> None:
    run = soak.open(GRAPH, pause_s=0.5)
    assert soak.broken_up(run, "engine", 3)
    (half,) = stray(soak, run)
    made = objects.read(soak.world, half)
    assert made is not None
    objects.update(soak.world, half, made.content, pause_s=0)  # the world finishes it, as a cloud does
    soak.recovered(run)
    assert stray(soak, run) == set()
    run.up(None, lambda _: None)
    assert half in {one.id for one in objects.all_of(soak.world)}


def test_an_object_whose_provider_died_is_named_before_the_next_run(soak: Soak) -> None:
    run = soak.open(GRAPH, pause_s=0.5)
    assert soak.broken_up(run, "provider", 3)
    assert not pending_in(run.deployment())  # the engine takes it for a failed creation
    (half,) = stray(soak, run)
    with pytest.raises(UnsettledError, match=f"{half} is there and no state knows it"):
        run.up(None, lambda _: None)
    soak.recovered(run)
    assert stray(soak, run) == set()


def test_a_lock_of_a_living_run_is_never_taken_over(soak: Soak) -> None:
    run = soak.open(GRAPH)
    run.up(None, lambda _: None)
    run.place.locks.mkdir(parents=True, exist_ok=True)
    text = '{"pid": %d, "username": "alice", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}'
    (run.place.locks / "a.json").write_text(text % os.getpid())
    for call in (run.check_settled, lambda: take_over(run.place, lambda _: None)):
        with pytest.raises(StackError, match="locked by alice@elsewhere"):
            call()
    assert (run.place.locks / "a.json").exists()
