"""A world in which a release is rolled out: one gateway, two slots, a spare, and operators who are cut off.

`facts` are what can be wrong, each by name; what a stage needs is written down here a second time, and
independently of release/: whoever enters one without it has broken the world.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from release.preconditions import Evidence, Process, Replayed, preconditions
from release.rollout import (
    ENDED,
    Moving,
    Rollout,
    RolloutError,
    Runs,
    begun,
    ended,
    held,
    lifted,
    moved,
)

NEW, OLD = "sha256:" + "b" * 64, "sha256:" + "a" * 64
SLOT, BACK, SPARE = "eng-1/b", "eng-1/a", "eng-2/a"
RUNS: dict[str, Runs] = {
    "shadow": (NEW, "sha256:" + "1" * 64, "sha256:" + "2" * 64),
    "canary": (NEW, "sha256:" + "3" * 64, "sha256:" + "4" * 64),
    "live": (NEW, "sha256:" + "3" * 64, "sha256:" + "5" * 64),
}
OLD_RUNS = (OLD, "sha256:" + "6" * 64, "sha256:" + "7" * 64)
PATH = (
    "planned", "replayed", "shadowing", "shadowed", "canary", "accepted", "promoted", "sparing", "complete",
)  # fmt: skip
TRADES = {"canary": SLOT, "promoted": SLOT, "sparing": SLOT, "complete": SLOT}  # elsewhere BACK
ALWAYS = ("free", "certificate", "journal", "fleet", "unheld")
NEEDS: dict[str, tuple[str, ...]] = {
    "replayed": ("golden", "untouched"),
    "shadowing": ("shadow approved", "shadow runs", "untouched"),
    "shadowed": ("shadow approved", "shadow runs", "leader", "read back", "untouched"),
    "canary": ("canary approved", "canary runs", "untouched"),
    "accepted": ("judged", "untouched"),
    "promoted": ("live approved", "live runs", "untouched"),
    "sparing": ("later day",),
    "complete": ("spares",),
}
FACTS = tuple(dict.fromkeys((*ALWAYS[:-1], *(name for names in NEEDS.values() for name in names))))
COMMANDS = ("next", "rollback", "hold", "lift")


@dataclass(slots=True, kw_only=True)
class World:
    """What is kept, who trades, and what is true."""

    kept: Rollout | None = None
    epoch: int = 1
    trades: str = BACK
    facts: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(FACTS, True))
    drop: str = ""  # a precondition that nobody asks
    broken: list[str] = field(default_factory=list)

    def evidence(self) -> Evidence:
        """What a look would find."""
        facts, stage = self.facts, self.kept.stage if self.kept else "planned"
        coming = PATH[min(PATH.index(stage) + 1, 8)] if stage in PATH else "replayed"
        role = {"shadowing": "shadow", "shadowed": "shadow", "canary": "canary", "promoted": "live"}.get(
            coming
        )
        slot = self._slot(role, stage)
        spare_runs = (NEW, *RUNS["live"][1:]) if not facts["untouched"] or stage in PATH[7:] else OLD_RUNS
        if stage in PATH[7:] and not facts["spares"]:
            spare_runs = OLD_RUNS
        approved: dict[tuple[str, str], tuple[Runs, ...]] = {
            (SLOT, each): (RUNS[each],) if facts[f"{each} approved"] else ()
            for each in ("shadow", "canary", "live")
        }
        if stage in ("canary", "promoted", "sparing"):  # it was, or it would not have come so far
            approved |= {(SLOT, "canary"): (RUNS["canary"],), (SLOT, "live"): (RUNS["live"],)}
        approved |= {(BACK, "live"): (OLD_RUNS,), (SPARE, "live"): (OLD_RUNS, RUNS["live"])}
        said = {
            name: Replayed(is_equal=facts[fact], inputs=9, said="")
            for name, fact in (("golden", "golden"), ("leader", "leader"), ("read_back", "read back"))
        }
        return Evidence(
            frozen="" if facts["free"] else "a session",
            today="2026-12-02" if facts["later day"] else "2026-12-01",
            certificate="" if facts["certificate"] else "expired",
            approved=approved,  # type: ignore[arg-type]
            passed_over=(),
            writes=1 if facts["journal"] else 2,
            reads=(1, 1),
            holder=self.trades,
            processes=(self._back(), slot, Process(holder=SPARE, state="STANDBY", runs=spare_runs)),
            judged=("PASS" if facts["judged"] else "FAIL", ""),
            **said,
        )

    def _back(self) -> Process:
        is_trading = self.trades == BACK
        runs = OLD_RUNS if self.facts["fleet"] or not is_trading else (OLD, *RUNS["live"][1:])
        state = "ACTIVE" if is_trading else "STANDBY"
        return Process(holder=BACK, state=state, egress="live", runs=runs, is_trading=is_trading)

    def _slot(self, role: str | None, stage: str) -> Process:
        if self.trades == SLOT:
            runs = RUNS["canary" if stage == "canary" else "live"]
            runs = runs if self.facts["fleet"] else OLD_RUNS
            return Process(holder=SLOT, state="ACTIVE", egress="live", runs=runs, is_trading=True)
        is_right = role is not None and self.facts[f"{role} runs"]
        egress = "shadow" if role == "shadow" and is_right else "live"
        state = "ACTIVE" if stage == "shadowing" and is_right else "STANDBY"
        return Process(
            holder=SLOT, state=state, egress=egress, runs=RUNS[role] if role and is_right else OLD_RUNS
        )

    def write(self, after: Rollout) -> None:
        """Keep it; whatever the table says, what a stage needs is looked at here."""
        before = self.kept
        if after.revision != (before.revision if before else 0) + 1:
            raise RolloutError("another revision")
        self.kept = after
        if before is not None and after.stage != before.stage:
            self._entered(before, after)

    def _entered(self, before: Rollout, after: Rollout) -> None:
        stage = after.stage
        if stage == "rolled_back":
            self.demand(self.trades == BACK, "rolled back, and the old release does not trade")
            return
        self.demand(PATH.index(stage) == PATH.index(before.stage) + 1, f"{before.stage} -> {stage}")
        self.demand(self.trades == TRADES.get(stage, BACK), f"{stage}, and {self.trades} trades")

    def judge_step(self, stage: str) -> None:
        """What is true when somebody decides to go to a stage."""
        for fact in (*ALWAYS[:-1], *NEEDS.get(stage, ())):
            self.demand(self.facts[fact], f"{stage} without {fact}")
        self.demand(not (self.kept and self.kept.held), f"{stage} while held")
        if self.kept:
            expected = BACK if self.kept.stage in ENDED else TRADES.get(self.kept.stage, BACK)
            self.demand(self.trades == expected, f"{stage} from another holder")

    def demand(self, holds: bool, what: str) -> None:
        """Note what is broken."""
        if not holds:
            self.broken.append(what)

    def fence(self, moving: Moving) -> None:
        """The gateway: it takes an epoch once, bound to the one that was seen."""
        if (self.epoch, self.trades) == (moving.epoch, moving.to):
            return
        if self.epoch != moving.epoch_seen:
            raise RolloutError("the epoch has moved")
        self.epoch, self.trades = moving.epoch, moving.to


def run(world: World, command: str) -> Iterator[None]:
    """One operator's command, cut into what can be cut off; RolloutError when it is refused."""
    if command in ("hold", "lift"):
        yield
        if world.kept is None:
            raise RolloutError("none")
        world.write(held(world.kept, "why") if command == "hold" else lifted(world.kept))
        return
    yield from _rollback(world) if command == "rollback" else _next(world)


def _next(world: World) -> Iterator[None]:
    one, is_first = world.kept, False
    if one is None or one.stage in ENDED:
        is_first = True
        one = begun(
            one, site="ny4", candidate=NEW, baseline=OLD, slot=SLOT, back=BACK, spares=(SPARE,), now_s=1
        )
    if one.moving and one.moving.move == "rollback":
        raise RolloutError("a rollback was begun")
    step = one.step
    assert step is not None
    goes_on = bool(one.moving) and (world.epoch, world.trades) == (one.moving.epoch, one.moving.to)  # type: ignore[union-attr]
    seen = one if goes_on else replace(one, moving=None)
    found = preconditions(seen, step.move, world.evidence())
    if any(not each.is_met and each.code != world.drop for each in found):
        raise RolloutError("not met")
    if not goes_on:
        world.judge_step(step.ends)
    moving = seen.moving or Moving(
        move=step.move, to=one.who(step.after), epoch_seen=world.epoch, epoch=world.epoch + 1, approved=()
    )
    yield
    if step.hands_over:
        if not goes_on:
            _same(world, one)
            world.write(moved(one, moving))
        yield
        world.fence(moving)
        yield
        assert world.kept is not None
        world.write(ended(world.kept, step.move, now_s=2, today="2026-12-01"))
        return
    if is_first:
        if one.revision != (world.kept.revision if world.kept else 0) + 1:
            raise RolloutError("somebody else began")
        world.kept = one
        world.kept = replace(one, revision=one.revision)
        world.write(ended(one, step.move, now_s=2, today=""))
        return
    _same(world, one)
    world.write(ended(one, step.move, now_s=2, today=""))


def _rollback(world: World) -> Iterator[None]:
    one = world.kept
    if one is None or one.stage == "rolled_back":
        raise RolloutError("none")
    moving = Moving(move="rollback", to=BACK, epoch_seen=world.epoch, epoch=world.epoch + 1, approved=())
    is_there = world.trades == BACK
    yield
    world.write(moved(world.kept, moving))  # type: ignore[arg-type]
    yield
    if not is_there:
        world.fence(moving)
    elif world.trades != BACK:
        raise RolloutError("the proof does not hold")
    yield
    assert world.kept is not None
    world.write(ended(world.kept, "rollback", now_s=2, today=""))


def _same(world: World, one: Rollout) -> None:
    if world.kept is None or world.kept.revision != one.revision:
        raise RolloutError("another revision")
