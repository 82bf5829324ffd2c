"""The rollout of a release as a table: which stage follows which, and who trades in it. Pure.

    planned -> replayed -> shadowing -> shadowed -> canary -> accepted -> promoted -> sparing -> complete
    any of them -> rolled_back

Two slots are used. In one the release that traded before (`back`) stays warm until the end, in the other the
candidate runs (`slot`): as a shadow, with small limits, with its own. Its files are changed only while the
other one trades, which is why the canary hands back (`accepted`) before it gets its full limits. A move that
changes who trades is written down before it is made (`moving`) and crossed out after it, so that a run that
was cut off is gone on with, or rolled back, by whoever comes next. Every change has the next revision: of two
that saw the same one, the second is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

Stage = Literal[
    "planned", "replayed", "shadowing", "shadowed", "canary", "accepted", "promoted", "sparing", "complete",
    "rolled_back",
]  # fmt: skip
Move = Literal["replay", "shadow", "compare", "canary", "accept", "promote", "open", "finish", "rollback"]
Role = Literal["shadow", "canary", "live"]
Who = Literal["slot", "back"]
Runs = tuple[str, str, str]  # digests of artifact, configuration, limits
STAGES: tuple[Stage, ...] = get_args(Stage)
MOVES: tuple[Move, ...] = get_args(Move)
ROLES: tuple[Role, ...] = get_args(Role)
ENDED: frozenset[Stage] = frozenset(("complete", "rolled_back"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table."""

    move: Move
    starts: Stage
    ends: Stage
    before: Who  # who trades before it
    after: Who
    needs: Role | None  # what has to be approved for the candidate's slot
    what: str

    @property
    def hands_over(self) -> bool:
        """Whether it changes who trades."""
        return self.before != self.after


STEPS: tuple[Step, ...] = (
    Step(move="replay", starts="planned", ends="replayed", before="back", after="back", needs=None,
         what="both releases decide the golden journal again, bit for bit alike"),
    Step(move="shadow", starts="replayed", ends="shadowing", before="back", after="back", needs="shadow",
         what="the candidate decides beside the one that trades, and sends nothing"),
    Step(move="compare", starts="shadowing", ends="shadowed", before="back", after="back", needs="shadow",
         what="the candidate decides as the leader did, and the release before it reads its journal"),
    Step(move="canary", starts="shadowed", ends="canary", before="back", after="slot", needs="canary",
         what="the candidate trades, with small limits"),
    Step(move="accept", starts="canary", ends="accepted", before="slot", after="back", needs=None,
         what="it was judged and hands back, so that its limits can be changed"),
    Step(move="promote", starts="accepted", ends="promoted", before="back", after="slot", needs="live",
         what="the candidate trades, with its own limits"),
    Step(move="open", starts="promoted", ends="sparing", before="slot", after="slot", needs=None,
         what="the spares may be given the candidate, on a later day"),
    Step(move="finish", starts="sparing", ends="complete", before="slot", after="slot", needs=None,
         what="every spare runs the candidate"),
)  # fmt: skip
BY_STAGE: Mapping[Stage, Step] = {one.starts: one for one in STEPS}
BY_MOVE: Mapping[Move, Step] = {one.move: one for one in STEPS}


class RolloutError(Exception):
    """A change that the table does not allow; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A move that was begun: who shall trade, with which epoch, given at which one."""

    move: Move
    to: str  # HOST/SLOT
    epoch_seen: int
    epoch: int
    approved: tuple[Runs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where a rollout stands; what is kept."""

    revision: int
    site: str
    candidate: str  # digest of the release
    baseline: str
    slot: str  # HOST/SLOT, of the candidate
    back: str  # HOST/SLOT, of the release that traded before
    spares: tuple[str, ...]
    stage: Stage
    since_s: int  # UTC, seconds since 1970
    promoted_on: str = ""  # date at the site, ISO 8601
    held: str = ""  # why it is held; empty when it is not
    moving: Moving | None = None

    def who(self, one: Who) -> str:
        """HOST/SLOT of one of the two."""
        return self.slot if one == "slot" else self.back

    @property
    def step(self) -> Step | None:
        """What comes next; None when it has ended."""
        return BY_STAGE.get(self.stage)

    @property
    def trades(self) -> Who:
        """Who trades in this stage."""
        step = self.step
        return step.before if step else "slot" if self.stage == "complete" else "back"


def begun(  # noqa: PLR0913  # each by name
    before: Rollout | None, *, site: str, candidate: str, baseline: str, slot: str, back: str,
    spares: tuple[str, ...], now_s: int,
) -> Rollout:  # fmt: skip
    """A new rollout after the one BEFORE; RolloutError while that one has not ended."""
    if before is not None and before.stage not in ENDED:
        raise RolloutError(f"the rollout of {before.candidate} is {before.stage}; end it first, or roll back")
    if before is not None and before.moving is not None:
        raise RolloutError(f"a rollback of {before.candidate} was begun; end it first")
    if candidate == baseline:
        raise RolloutError("candidate and baseline are the same release")
    if len({slot, back, *spares}) != 2 + len(spares):
        raise RolloutError("slot, back and spares are different engines")
    made = Rollout(
        revision=(before.revision if before else 0) + 1, site=site, candidate=candidate, baseline=baseline,
        slot=slot, back=back, spares=spares, stage="planned", since_s=now_s,
    )  # fmt: skip
    return _sound(made)


def moved(one: Rollout, moving: Moving) -> Rollout:
    """With the intent of a move that hands over; RolloutError when the table has none here."""
    if moving.move == "rollback":
        if one.stage == "rolled_back":
            raise RolloutError("it is rolled back already")
        return _next(one, moving=moving)
    step = _legal(one, moving.move)
    if not step.hands_over or moving.to != one.who(step.after):
        raise RolloutError(f"{moving.move} does not hand over to {moving.to}")
    return _next(one, moving=moving)


def ended(one: Rollout, move: Move, *, now_s: int, today: str) -> Rollout:
    """After the move; RolloutError for one that the table does not have here."""
    if move == "rollback":
        if one.moving is None or one.moving.move != "rollback":
            raise RolloutError("no rollback was begun")
        return _next(one, stage="rolled_back", since_s=now_s, moving=None, held="")
    step = _legal(one, move)
    if step.hands_over is not (one.moving is not None):
        raise RolloutError(f"{move} was {'not ' if one.moving is None else ''}begun as a hand-over")
    promoted_on = today if move == "promote" else one.promoted_on
    return _next(one, stage=step.ends, since_s=now_s, moving=None, promoted_on=promoted_on)


def held(one: Rollout, reason: str) -> Rollout:
    """Held: no further step; RolloutError when it has ended."""
    if one.stage in ENDED:
        raise RolloutError(f"it is {one.stage}: there is nothing to hold")
    return _next(one, held=reason)


def lifted(one: Rollout) -> Rollout:
    """No longer held; RolloutError when it was not."""
    if not one.held:
        raise RolloutError("it is not held")
    return _next(one, held="")


def _legal(one: Rollout, move: Move) -> Step:
    step = one.step
    if step is None or step.move != move:
        raise RolloutError(f"{move} does not follow {one.stage}; next is {step.move if step else 'nothing'}")
    if one.moving is not None and one.moving.move != move:
        raise RolloutError(f"{one.moving.move} was begun; end it first")
    return step


def _next(one: Rollout, **changes: object) -> Rollout:
    return _sound(replace(one, revision=one.revision + 1, **changes))  # type: ignore[arg-type]


def _sound(one: Rollout) -> Rollout:
    """The same; RolloutError when an invariant does not hold."""
    moving = one.moving
    was_promoted = one.stage in ("promoted", "sparing", "complete")
    if was_promoted and not one.promoted_on:
        raise RolloutError(f"{one.stage} without the day of its promotion")
    if one.stage in ENDED and (moving or one.held) and not (moving and moving.move == "rollback"):
        raise RolloutError(f"{one.stage}, and still held or on the move")
    if moving and moving.to not in (one.slot, one.back):
        raise RolloutError(f"nothing is handed to {moving.to}")
    if moving and moving.move == "rollback" and moving.to != one.back:
        raise RolloutError("a rollback goes to the slot of the release that traded before")
    return one
