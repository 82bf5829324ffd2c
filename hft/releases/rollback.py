"""A rollback: fence to the slot that runs the release from before, and promote it; in every state.

It fetches nothing, analyses nothing and asks nobody for approval: that slot stayed warm, and what it runs
was approved before the rollout began. What the gateway and that engine refuse cannot be passed over.
"""

from __future__ import annotations

import time

from failover.gates import Command
from failover.proof import proofs
from failover.view import ClusterView
from hft.errors import Exit, HftError
from hft.releases.kept import change, kept
from hft.releases.steps import Made, command_of, hand_over, is_made, moving_of
from hft.runbooks.cluster import Cluster
from hft.runbooks.look import look
from hft.runbooks.moves import Told, carry_out
from release.rollout import Moving, Rollout, RolloutError, ended, moved
from transport.hint import command as spelled


def to_roll_back(site: str) -> Rollout:
    """The rollout to take back; HftError when there is none."""
    one = kept(site)
    if one is None or one.stage == "rolled_back":
        said = "there is no rollout" if one is None else "it is rolled back already"
        hint = f"{spelled('failover', 'failover')} moves trading as well"
        raise HftError(Exit.BAD_INPUT, f"{site}: {said}; hint: {hint}")
    return one


def roll_back(cluster: Cluster, one: Rollout, *, deadline_s: float, told: Told) -> Made:
    """Let `back` trade; kept only if the proof holds. HftError when a move is refused."""
    view, links = look(cluster, deadline_s)
    before = one.moving
    goes_on = before is not None and before.move == "rollback" and is_made(before, view)
    command = (
        command_of(before, "failover") if goes_on and before is not None else _command(cluster, one, view)
    )
    if not goes_on:
        moving = moving_of("rollback", command)
        change(one.site, lambda now: _begin(now, moving))
    ms: dict[str, float] = {}
    epoch = command.epoch
    if _trades_already(one, view):
        epoch = view.epoch
    else:
        done = carry_out(cluster, command, view, deadline_s=deadline_s, told=told)
        ms = done.ms
        view, links = look(cluster, deadline_s, dark=done.view.dark)
    found = proofs(view, links, one.back, epoch)
    if any(each.verdict == "violated" for each in found):
        return Made(one=one, proofs=found, ms=ms)
    after = change(one.site, lambda now: _end(now, int(time.time())))
    return Made(one=after, proofs=found, ms=ms)


def _command(cluster: Cluster, one: Rollout, view: ClusterView) -> Command:
    approved = tuple((each.artifact, each.config, each.limits) for each in cluster.approved.get(one.back, ()))
    return hand_over(view, "failover", one.back, approved)


def _trades_already(one: Rollout, view: ClusterView) -> bool:
    engine = view.engine(one.back)
    return view.holder == one.back and engine is not None and engine.trades and engine.epoch == view.epoch


def _begin(now: Rollout | None, moving: Moving) -> Rollout:
    if now is None:
        raise RolloutError("there is no rollout any more")
    return moved(now, moving)


def _end(now: Rollout | None, now_s: int) -> Rollout:
    if now is None:
        raise RolloutError("there is no rollout any more")
    return ended(now, "rollback", now_s=now_s, today="")
