"""The rollout's table: every pair of commands at once, cut off anywhere; every mutant breaks something."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import get_args

import pytest

from release import preconditions, rollout
from release.rollout import BY_STAGE, ENDED, STAGES, STEPS, RolloutError, Step
from tests.support.rollout_world import COMMANDS, FACTS, PATH, World, run

WALK_STEPS = 3_000


def through(world: World, command: str) -> bool:
    """Undisturbed; whether it was made."""
    try:
        for _ in run(world, command):
            pass
    except RolloutError:
        return False
    return True


@functools.cache
def come_to(stage: str) -> World:
    """A world whose rollout has come to a stage, as the table leads there."""
    world = World()
    for _ in range(PATH.index(stage)):
        assert through(world, "next"), stage
    assert world.broken == []
    return world


def at(stage: str) -> World:
    """The same, anew."""
    world = come_to(stage)
    return replace(world, facts=dict(world.facts), broken=[])


def test_the_table_leads_from_planned_to_complete_and_every_stage_is_in_it() -> None:
    world = at("complete")
    assert world.kept is not None and world.kept.stage == "complete" and world.kept.step is None
    assert {*BY_STAGE, *ENDED} == {*STAGES} and [one.starts for one in STEPS] == list(PATH[:-1])


@pytest.mark.parametrize("stage", PATH[1:])
def test_a_rollback_is_allowed_in_every_stage_whatever_is_wrong(stage: str) -> None:
    world = at(stage)
    world.facts = dict.fromkeys(FACTS, False)
    assert through(world, "rollback") and world.broken == []
    assert world.kept is not None and world.kept.stage == "rolled_back" and world.trades.endswith("/a")


@pytest.mark.parametrize("stage", PATH[1:8])
def test_a_held_rollout_makes_no_step_until_it_is_lifted(stage: str) -> None:
    world = at(stage)
    assert through(world, "hold") and not through(world, "next") and through(world, "lift")
    assert through(world, "next") and world.broken == []


@pytest.mark.parametrize("stage", PATH[:8])
@pytest.mark.parametrize("fact", FACTS)
def test_each_fact_that_a_stage_needs_is_asked(stage: str, fact: str) -> None:
    world = at(stage)
    world.facts[fact] = False
    through(world, "next")
    assert world.broken == []


@pytest.mark.parametrize("stage", PATH[1:])
@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(COMMANDS, 2)))
def test_two_commands_at_once_cut_off_anywhere_break_nothing(stage: str, pair: tuple[str, str]) -> None:
    for turns in itertools.product((0, 1), repeat=6):
        world = at(stage)
        at_once(world, pair, turns)
        assert world.broken == [], turns
        ends(world)


def at_once(world: World, pair: tuple[str, str], turns: tuple[int, ...]) -> None:
    """Turn by turn; a command that got too few turns died there."""
    both: list[Iterator[None] | None] = [run(world, pair[0]), run(world, pair[1])]
    for turn in turns:
        one = both[turn]
        if one is not None:
            try:
                next(one)
            except (StopIteration, RolloutError):
                both[turn] = None


def ends(world: World) -> None:
    """Whatever was cut off, a rollback brings the old release back, at the second try at the latest."""
    for _ in range(2):
        if world.kept is not None and world.kept.stage == "rolled_back":
            break
        through(world, "rollback")
    assert world.kept is not None and world.kept.stage == "rolled_back" and world.broken == []


def walk(seed: int, drop: str = "", steps: int = WALK_STEPS) -> World:
    """Facts that change, operators that are cut off, until something is broken."""
    chance, world = random.Random(seed), World(drop=drop)
    for _ in range(steps):
        if chance.random() < 0.5:
            world.facts[chance.choice(FACTS)] ^= True
        if chance.random() < 0.2:
            world.facts = dict.fromkeys(FACTS, True)
        commands = ("next", "next", "next", "next", "next", "rollback", "hold", "lift", "lift")
        one = run(world, chance.choice(commands))
        with suppress(RolloutError, StopIteration):
            for _ in range(chance.choice((1, 2, 3, 4, 4, 4))):
                next(one)
        if world.broken:
            break
    return world


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_through_cuts_and_changes_breaks_nothing(seed: int) -> None:
    world = walk(seed)
    assert world.broken == [] and world.kept is not None and world.kept.revision > WALK_STEPS // 10


CODES = set(get_args(preconditions.GateCode)) - {
    "approved"
}  # slot_reports holds what it holds, and says less


@pytest.mark.parametrize("code", sorted(CODES))
def test_without_one_precondition_a_walk_breaks_something(code: str) -> None:
    assert walk(1, drop=code).broken, code


def mutants() -> Iterator[tuple[str, Step, Step]]:
    """One row of the table with one thing changed."""
    for one in STEPS:
        others = [each for each in STAGES if each not in (one.ends, one.starts)]
        yield f"{one.move} ends elsewhere", one, replace(one, ends=others[0])
        yield (
            f"{one.move} hands over to the other",
            one,
            replace(one, after="slot" if one.after == "back" else "back"),
        )
        yield (
            f"{one.move} from the other",
            one,
            replace(one, before="slot" if one.before == "back" else "back"),
        )
        for needs in (None, "shadow", "canary", "live"):
            if needs != one.needs and one.needs is not None:
                yield f"{one.move} needs {needs}", one, replace(one, needs=needs)


@pytest.mark.parametrize(
    ("what", "right", "wrong"), list(mutants()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_every_mutant_of_the_table_is_noticed(
    what: str, right: Step, wrong: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [wrong if one is right else one for one in STEPS]
    for module in (rollout, preconditions):
        monkeypatch.setattr(module, "BY_MOVE", {one.move: one for one in steps})
    monkeypatch.setattr(rollout, "BY_STAGE", {one.starts: one for one in steps})
    world = World()
    made = [through(world, "next") for _ in PATH[1:]]
    assert not all(made) or world.broken or walk(2).broken, what
