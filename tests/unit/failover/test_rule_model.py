"""The rule of a gateway pair: kept on seeded walks, broken without any of its parts."""

from __future__ import annotations

import pytest

from failover.epochs import EPOCH_MAX, next_epoch
from failover.model import Rule, World
from failover.walk import walk, walks


def first_broken(rule: Rule, *, seeds: int, steps: int) -> str:
    """The first violation of some walks, or nothing."""
    return next(
        (found.violation for seed in range(seeds) if (found := walk(rule, seed=seed, steps=steps)).violation),
        "",
    )


def test_accepted_epochs_never_fall_and_no_two_holders_share_one() -> None:
    found = list(walks(Rule(), seed=1, steps=200_000))
    assert [one.violation for one in found if one.violation] == []
    assert sum(one.steps for one in found) == 200_000
    assert sum(one.accepted for one in found) > 5_000, "a walk that trades nothing proves nothing"


@pytest.mark.parametrize("part", ["one_session", "floor_from_replay", "own_residue", "floor_after_loss"])
def test_without_this_part_of_the_rule_the_venue_shows_a_violation(part: str) -> None:
    assert first_broken(Rule(**{part: False}), seeds=10, steps=20_000)


def test_a_walk_is_repeated_by_its_seed() -> None:
    once, again = (walk(Rule(own_residue=False), seed=7, steps=5_000) for _ in range(2))
    assert once == again != walk(Rule(own_residue=False), seed=8, steps=5_000)


def lost_and_copied(rule: Rule) -> World:
    """Gateway 0 gives an epoch behind its peer's back, loses its disk, and goes on with the peer's copy."""
    world = World(rule=rule)
    world.link_pair(is_up=False)
    world.login(0)
    world.fence(0, 0)
    trade(world, 0)
    world.crash(0)
    world.lose_state(0)
    world.restart(0)
    world.link_pair(is_up=True)
    world.peer_copy(0)
    world.fence(0, 1)
    world.login(0)
    return world


def trade(world: World, engine: int) -> None:
    """The engine claims, and sends an order that arrives."""
    world.claim(engine, 0)
    world.order()
    world.deliver(0)


def test_an_epoch_given_between_a_loss_and_the_login_may_be_one_that_was_spent() -> None:
    world = lost_and_copied(Rule(login_after_loss=False))
    trade(world, 1)
    assert world.violation == "the venue accepted epoch 1 from engine 0 and from engine 1"


def test_after_the_login_that_follows_a_loss_the_next_epoch_is_above_what_was_spent() -> None:
    world = lost_and_copied(Rule())
    trade(world, 1)
    world.fence(0, 1)
    trade(world, 1)
    assert (world.violation, world.holder_of) == ("", {1: 0, 3: 1})


@pytest.mark.parametrize(
    ("floor", "residue", "wanted"), [(0, 1, 1), (0, 0, 2), (1, 1, 3), (1, 0, 2), (7, None, 8), (8, 0, 10)]
)
def test_the_next_epoch_is_the_lowest_of_its_residue(floor: int, residue: int | None, wanted: int) -> None:
    assert next_epoch(floor, residue) == wanted


def test_no_epoch_is_given_that_a_clordid_cannot_hold() -> None:
    assert next_epoch(EPOCH_MAX - 1, None) == EPOCH_MAX
    with pytest.raises(ValueError, match="the last one"):
        next_epoch(EPOCH_MAX, None)
