"""Random walks through the model of the rule, each repeatable by its seed. Pure.

A walk does one step after another, most of them orders and their way to the venue, and stops at the first
thing that the rule forbids. Cuts, crashes, lost disks and day rolls are as frequent as they can be while the
venue still accepts something between them. Nothing is sampled: the judge sees each accepted order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from failover.model import Rule, World

Step = Callable[[World, int, int], None]  # with a gateway, and an engine

# Step, with a gateway and an engine, and how often it comes in a thousand.
STEPS: tuple[tuple[str, Step, int], ...] = (
    ("order", lambda world, _, __: world.order(), 400),
    ("deliver", lambda world, gateway, _: world.deliver(gateway), 400),
    ("claim", lambda world, gateway, engine: world.claim(engine, gateway), 140),
    ("restart", lambda world, gateway, _: world.restart(gateway), 12),
    ("login", lambda world, gateway, _: world.login(gateway), 10),
    ("peer copy", lambda world, gateway, _: world.peer_copy(gateway), 8),
    ("pair link back", lambda world, _, __: world.link_pair(is_up=True), 4),
    ("pair link cut", lambda world, _, __: world.link_pair(is_up=False), 4),
    ("venue link back", lambda world, gateway, _: world.link_venue(gateway, is_up=True), 6),
    ("venue link cut", lambda world, gateway, _: world.link_venue(gateway, is_up=False), 2),
    ("fence", lambda world, gateway, engine: world.fence(gateway, engine), 6),
    ("crash", lambda world, gateway, _: world.crash(gateway), 3),
    ("signed floor", lambda world, gateway, _: world.signed_floor(gateway), 1),
    ("lost disk", lambda world, gateway, _: world.lose_state(gateway), 2),
    ("day roll", lambda world, _, __: world.roll_day(), 2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How a walk went: the sentence of the first violation and its step, or none."""

    seed: int
    steps: int
    accepted: int
    epochs: int
    days: int
    violation: str

    @property
    def is_kept(self) -> bool:
        """Whether the rule's promise held to the end."""
        return not self.violation


def walk(rule: Rule, *, seed: int, steps: int, engines: int = 3) -> Walk:
    """At most STEPS steps from a world where nothing has happened yet."""
    random, world = Random(seed), World(rule=rule, engines=engines)
    chosen, weights = [step for _, step, _ in STEPS], [weight for _, _, weight in STEPS]
    done = 0
    while done < steps and not world.violation:
        for step in random.choices(chosen, weights, k=min(1024, steps - done)):
            step(world, random.getrandbits(1), random.randrange(engines))
            done += 1
            if world.violation:
                break
    return Walk(
        seed=seed,
        steps=done,
        accepted=world.accepted,
        epochs=len(world.holder_of),
        days=world.day,
        violation=world.violation,
    )


WALK_STEPS = 20_000  # of one walk: many short lives meet more first days than one long life


def walks(rule: Rule, *, seed: int, steps: int) -> Iterator[Walk]:
    """Walks with the seeds SEED, SEED + 1, ... of STEPS steps together; the last may be a broken one."""
    for number in range(0, steps, WALK_STEPS):
        found = walk(rule, seed=seed + number // WALK_STEPS, steps=min(WALK_STEPS, steps - number))
        yield found
        if not found.is_kept:
            return
