"""DECIDE and ACT of one step of a rollout: planned from one look, written down, made, proven, written down.

A hand-over is the switchover of `hft failover`: the same preconditions, the same moves, the same proof.
What stands between two writes may be cut off anywhere: the next look shows whether the fence was made, and
the step goes on from there, or is planned anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from failover.decide import commanded
from failover.gates import Command, Kind
from failover.gates import Gate as MoveGate
from failover.gates import gates as move_gates
from failover.proof import Proof, proofs
from failover.view import ClusterView
from hft.errors import Exit, HftError
from hft.releases.evidence import Asked, evidence
from hft.releases.kept import change, document_of, kept
from hft.runbooks.ask import Question, SilentError, ask, refusal
from hft.runbooks.cluster import Cluster
from hft.runbooks.look import look
from hft.runbooks.moves import Told, carry_out
from release.preconditions import Evidence, Gate, preconditions, wanted_runs
from release.rollout import ENDED, Move, Moving, Rollout, RolloutError, Runs, Step, begun, ended, moved
from transport.hint import command as spelled

SHADOW_S = 30.0  # it answers once it is ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The next step from one look; nothing is changed by it."""

    one: Rollout
    step: Step
    view: ClusterView
    gates: tuple[Gate | MoveGate, ...]
    command: Command | None  # of a step that hands over
    goes_on: bool  # the fence of this step was made before

    @property
    def is_ready(self) -> bool:
        """Whether every precondition is met."""
        return all(each.is_met for each in self.gates)

    @property
    def bound(self) -> dict[str, object]:
        """What the plan's name is bound to."""
        command = asdict(self.command) if self.command else None
        rollout = {**document_of(self.one), "since_s": 0}  # of one that is not kept yet it is now
        return {"rollout": rollout, "command": command, "view": self.view.digest}


def current(asked: Asked, now_s: int) -> Rollout:
    """The site's rollout, or the one that the file would begin; HftError when they are two."""
    file, releases, before = asked.file, asked.releases, kept(asked.file.site)
    if before is not None and before.stage not in ENDED:
        if before.candidate != releases.candidate.digest:
            raise HftError(
                Exit.BAD_INPUT,
                f"{file.path}: names another candidate than the rollout that is {before.stage} "
                f"({before.candidate[:19]}); hint: end that one, or {spelled('release', 'rollback')}",
            )
        return before
    if before is not None and before.stage == "complete" and before.candidate == releases.candidate.digest:
        raise HftError(Exit.BAD_INPUT, f"{file.site}: the rollout of {before.candidate[:19]} is complete")
    for name in (file.slot, file.back, *file.spares):
        if name not in asked.cluster.approved:
            raise HftError(Exit.BAD_INPUT, f"{file.path}: {name} is no engine of {asked.cluster.path}")
    try:
        return begun(
            before, site=file.site, candidate=releases.candidate.digest, baseline=releases.baseline.digest,
            slot=file.slot, back=file.back, spares=file.spares, now_s=now_s,
        )  # fmt: skip
    except RolloutError as error:
        raise HftError(Exit.BAD_INPUT, f"{file.path}: {error}") from error


def planned(asked: Asked, deadline_s: float) -> Planned:
    """The next step and its preconditions; HftError when there is none."""
    one, (view, _) = current(asked, int(asked.now.timestamp())), look(asked.cluster, deadline_s)
    if one.moving is not None and one.moving.move == "rollback":
        hint = spelled("release", "rollback")
        raise HftError(Exit.BAD_INPUT, f"{one.site}: a rollback was begun; hint: {hint}")
    step = one.step
    assert step is not None, "a rollout that has ended is none of this file's"
    goes_on = is_made(one.moving, view)
    one = one if goes_on else replace(one, moving=None)
    found = evidence(asked, step.move, view)
    command = _command(one, step, found, view, goes_on=goes_on)
    asks = () if goes_on or command is None else move_gates(view, command)
    return Planned(
        one=one,
        step=step,
        view=view,
        gates=(*preconditions(one, step.move, found), *asks),
        command=command,
        goes_on=goes_on,
    )


def is_made(moving: Moving | None, view: ClusterView) -> bool:
    """Whether the fence of a move that was begun is in force."""
    return moving is not None and (view.epoch, view.holder) == (moving.epoch, moving.to)


def _command(
    one: Rollout, step: Step, found: Evidence, view: ClusterView, *, goes_on: bool
) -> Command | None:
    if not step.hands_over:
        return None
    if goes_on and one.moving is not None:
        return command_of(one.moving)
    to = one.who(step.after)
    approved: tuple[Runs, ...] = found.approved.get((to, "live"), ())
    if step.needs is not None:
        approved = wanted_runs(one, step.needs, found)
    return hand_over(view, "switchover", to, approved)


def hand_over(view: ClusterView, kind: Kind, to: str, approved: tuple[Runs, ...]) -> Command:
    """The command from this look; HftError when no epoch is left."""
    try:
        return commanded(view, kind, to, approved)
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error


def command_of(moving: Moving, kind: Kind = "switchover") -> Command:
    """The command of a move that was begun."""
    return Command(
        kind=kind, to=moving.to, approved=moving.approved, epoch_seen=moving.epoch_seen, epoch=moving.epoch
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A step that was made: where the rollout stands, and what proves who trades."""

    one: Rollout
    proofs: tuple[Proof, ...] = ()
    ms: dict[str, float]


def make(asked: Asked, plan: Planned, *, deadline_s: float, told: Told) -> Made:
    """The step of a plan whose preconditions are met; it is kept only if its proof holds."""
    if plan.command is not None:
        return make_hand_over(asked, plan, plan.command, deadline_s=deadline_s, told=told)
    if plan.step.move == "shadow":
        start_shadow(asked.cluster, plan.one, plan.view, deadline_s)
    return Made(one=change(plan.one.site, _ended(asked, plan.step.move, plan.one, is_new=True)), ms={})


def make_hand_over(asked: Asked, plan: Planned, command: Command, *, deadline_s: float, told: Told) -> Made:
    """Intent, fence, promote, proof, end."""
    moving = moving_of(plan.step.move, command)
    if not plan.goes_on:
        change(plan.one.site, lambda now: moved(_same(now, plan.one), moving))
    done = carry_out(asked.cluster, command, plan.view, deadline_s=deadline_s, told=told)
    view, links = look(asked.cluster, deadline_s, dark=done.view.dark)
    found = proofs(view, links, command.to, command.epoch)
    if any(each.verdict != "ok" for each in found):
        return Made(one=plan.one, proofs=found, ms=done.ms)
    return Made(one=change(plan.one.site, _ended(asked, plan.step.move)), proofs=found, ms=done.ms)


def moving_of(move: Move, command: Command) -> Moving:
    """The intent of a command."""
    return Moving(
        move=move, to=command.to, epoch_seen=command.epoch_seen, epoch=command.epoch,
        approved=command.approved,
    )  # fmt: skip


def _same(now: Rollout | None, planned_from: Rollout) -> Rollout:
    """What is kept now; RolloutError when that is not what was planned from."""
    if now is None or now.revision != planned_from.revision:
        seen = now.revision if now else 0
        raise RolloutError(
            f"the plan saw revision {planned_from.revision}, and now it is {seen}: somebody else moved it"
        )
    return now


def _ended(
    asked: Asked, move: Move, planned_from: Rollout | None = None, *, is_new: bool = False
) -> Callable[[Rollout | None], Rollout]:
    """The change that ends a move; of a rollout that is NEW the first one begins it, too."""
    today = asked.now.astimezone(asked.file.zone).date().isoformat()

    def end(now: Rollout | None) -> Rollout:
        base = now
        if planned_from is not None:
            is_first = is_new and move == "replay" and (now is None or now.stage in ENDED)
            if is_first and planned_from.revision != (now.revision if now else 0) + 1:
                raise RolloutError("somebody else began a rollout; plan again")
            base = planned_from if is_first else _same(now, planned_from)
        if base is None:
            raise RolloutError("there is no rollout any more")
        return ended(base, move, now_s=int(asked.now.timestamp()), today=today)

    return end


def start_shadow(cluster: Cluster, one: Rollout, view: ClusterView, deadline_s: float) -> None:
    """Let the candidate decide with the epoch in force, which it does not claim; again is no harm.

    Raises: HftError when it refuses or is silent.
    """
    engine = view.engine(one.slot)
    if engine is not None and engine.state == "ACTIVE":
        return
    program = next(each for each in cluster.engines if each.name == one.slot)
    request: dict[str, Any] = {"verb": "promote", "epoch": view.epoch}
    question = Question(to=program, requests=(request,), patience_s=max(deadline_s, SHADOW_S))
    try:
        answer = ask(question)[0]
    except SilentError as error:
        raise HftError(Exit.UNREACHABLE, f"{one.slot}: {error}; hint: run the same command again") from error
    if answer.get("ok") is not True:
        raise HftError(Exit.BAD_INPUT, f"{one.slot} refused to decide as a shadow, {refusal(answer)}")
