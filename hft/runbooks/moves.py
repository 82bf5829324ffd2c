"""ACT: carries out what `failover.decide` decides, one move after another, and looks again after each.

A move that is refused or not answered ends the run with one sentence. Repeating the same command is safe: the
gateway takes the same fence again, and an engine that is ACTIVE already is not promoted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.contract.canonical import canonical
from engine.ticket.epoch import Approval, Fence
from engine.ticket.signing import FENCE_NAMESPACE
from failover.decide import Action, Decision, decide
from failover.gates import Command
from failover.view import ClusterView
from hft.errors import Exit, HftError
from hft.runbooks.ask import Question, SilentError, ask, refusal
from hft.runbooks.cluster import Cluster, Program
from hft.runbooks.look import SILENT_AGAIN_S, ask_all, look
from hft.signed_document import signed

MOVES_MOST = 12  # fence, promote, a few that must be demoted
PROMOTE_S = 30.0  # it answers once it is ACTIVE, behind the replay


class Told(Protocol):
    """Is told each move before it is made."""

    def __call__(self, decision: Decision) -> None: ...


@dataclass(slots=True, kw_only=True)
class Moved:
    """How it went: the last look, and milliseconds by phase."""

    view: ClusterView
    ms: dict[str, float] = field(default_factory=dict)
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the fence, by gateway


def signed_fence(cluster: Cluster, command: Command) -> Fence:
    """The fence of a command, signed by the authority; HftError when its key cannot be used."""
    runs = tuple(Approval(artifact=one[0], config=one[1], limits=one[2]) for one in command.approved)
    unsigned = Fence(epoch=command.epoch, holder=command.to, approved=runs)
    signature = signed(canonical(unsigned.body()), cluster.authority_key, FENCE_NAMESPACE, "the fence")
    return Fence(epoch=command.epoch, holder=command.to, approved=runs, signature=signature)


def carry_out(  # noqa: PLR0913  # each by name
    cluster: Cluster,
    command: Command,
    view: ClusterView,
    *,
    deadline_s: float,
    told: Told,
    clock: Callable[[], float] = time.monotonic,
) -> Moved:
    """Move after move from a VIEW just taken, until nothing is left to do; HftError when one is refused."""
    fence = signed_fence(cluster, command)  # a key that cannot be used is found out before anything is done
    ms: dict[str, float] = {}
    acks: dict[str, dict[str, Any]] = {}
    for _ in range(MOVES_MOST):
        decision = decide(view, command)
        match decision.action:
            case "refuse":
                raise HftError(Exit.BAD_INPUT, decision.reason)
            case "page":
                raise HftError(Exit.VIOLATED, decision.reason)
            case "done":
                return Moved(view=view, ms=ms, acks=acks)
            case _:
                told(decision)
                start = clock()
                planned = command.kind == "switchover"
                _move(cluster, fence, decision, deadline_s=deadline_s, acks=acks, view=view, planned=planned)
                ms[decision.action] = ms.get(decision.action, 0.0) + (clock() - start) * 1000
                start = clock()
                view, _ = look(cluster, deadline_s, dark=view.dark)
                ms["look"] = ms.get("look", 0.0) + (clock() - start) * 1000
    raise HftError(Exit.UNVERIFIABLE, f"after {MOVES_MOST} moves it is not done; hint: {cluster.look_again}")


def _move(  # noqa: PLR0913  # each by name
    cluster: Cluster,
    fence: Fence,
    decision: Decision,
    *,
    deadline_s: float,
    acks: dict[str, dict[str, Any]],
    view: ClusterView,
    planned: bool,
) -> None:
    action: Action = decision.action
    if action == "fence":
        acks.update(_fence(cluster, fence, decision.target, deadline_s, view, planned=planned))
        return
    request = {"verb": "promote", "epoch": fence.epoch} if action == "promote" else {"verb": "demote"}
    engine = next(one for one in cluster.engines if one.name == decision.target)
    patience_s = max(deadline_s, PROMOTE_S) if action == "promote" else deadline_s
    answer = _asked(cluster, engine, request, patience_s, f"{action} {engine.name}")
    if answer.get("ok") is not True and action == "promote":
        raise HftError(
            Exit.VIOLATED,
            f"{engine.name} was fenced in with epoch {fence.epoch} and refused the promote, "
            f"{refusal(answer)}; "
            "nobody trades; hint: mend it and run the same command again, or fail over to another engine",
        )


def _fence(  # noqa: PLR0913  # each by name
    cluster: Cluster, fence: Fence, in_charge: str, deadline_s: float, view: ClusterView, *, planned: bool
) -> dict[str, dict[str, Any]]:
    """Tell every gateway at once; the one in charge must acknowledge, a dark peer is not waited for.

    Each is told the epoch that it had in the look: one that has moved on since refuses (`epoch_moved`). One
    that is PLANNED is refused while a pause holds (`paused`).
    """
    seen = {one.name: {"seen": one.epoch} for one in view.gateways if not one.silent}
    request = {"verb": "fence", **fence.message(), **({"planned": True} if planned else {})}
    questions = [
        Question(
            to=one,
            requests=({**request, **seen.get(one.name, {})},),
            patience_s=deadline_s if one.name in seen else SILENT_AGAIN_S,
        )
        for one in cluster.gateways
    ]
    answers = dict(zip((one.name for one in cluster.gateways), ask_all(questions), strict=True))
    decisive = answers[in_charge]
    if isinstance(decisive, SilentError):
        raise HftError(
            Exit.UNREACHABLE,
            f"{in_charge} did not acknowledge the fence ({decisive}), so nobody was promoted; the old "
            "holder may or may not be stopped; hint: run the same command again",
        )
    if decisive[0].get("ok") is not True or decisive[0].get("epoch") != fence.epoch:
        said = refusal(decisive[0])
        raise HftError(Exit.BAD_INPUT, f"{in_charge} refused the fence, {said}; nobody was promoted")
    return {name: one[0] for name, one in answers.items() if not isinstance(one, SilentError)}


def _asked(
    cluster: Cluster, to: Program, request: Mapping[str, object], patience_s: float, what: str
) -> dict[str, Any]:
    try:
        return ask(Question(to=to, requests=(request,), patience_s=patience_s))[0]
    except SilentError as error:
        raise HftError(
            Exit.UNREACHABLE, f"{what}: {error}; hint: look with {cluster.look_again}, then run it again"
        ) from error
