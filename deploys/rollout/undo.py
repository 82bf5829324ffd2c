"""`hft revert`, `recover`, `remove` and the close of a trial as steps: the host undoes, from its journal."""

from __future__ import annotations

from deploys.agent_client.call import AgentOutcome, agent_argv, over_ssh, read_outcome
from deploys.errors import RolledBackError
from deploys.rollout.outcome import HostOutcome, Result
from deploys.rollout.rollout import Step, each
from deploys.trial.resume import REVERT_TIMEOUT_S, close_trial, try_boot
from deploys.tune.drain import drain_host
from deploys.tune.host_changes import HostChanges
from deploys.tune.undo import Undo
from transport.hint import command
from transport.ssh import Ssh

STOPPED = "its engine was stopped for it and stays stopped"


def revert_steps() -> tuple[Step[Undo], ...]:
    """Take the last transaction back; a boot change by a trial boot, so this too cannot lose the host."""
    return (
        Step(name="drain", concerns=lambda undo, _: bool(undo.running), act=each(_drain), leaves=STOPPED),
        Step(name="take back", concerns=lambda *_: True, act=each(_take_back)),
        Step(name="trial boot", concerns=lambda _, outcome: outcome.result == "staged", act=each(_try_boot)),
    )


def recover_steps() -> tuple[Step[Undo], ...]:
    """Undo what was cut off or could not be undone at once; what is committed stays."""
    return (Step(name="recover", concerns=lambda *_: True, act=each(_recover)),)


def close_steps() -> tuple[Step[HostChanges], ...]:
    """Finish or drop the trial boot that an earlier run left open, before an apply decides anew."""

    def close(changes: HostChanges, _: HostOutcome) -> HostOutcome:
        closed, name = close_trial(changes), changes.host.name
        result: Result = "committed" if closed.is_committed else "applied"
        return HostOutcome(host=name, result=result, seen=closed.seen, txn=closed.txn)

    return (Step(name="close the open trial", concerns=lambda *_: True, act=each(close)),)


def remove_steps(*, agent_only: bool) -> tuple[Step[Undo], ...]:
    """Take the agent away, once nothing of ours stands on the host."""

    def remove(undo: Undo, _: HostOutcome) -> HostOutcome:
        outcome = _agent(undo, "remove", *(("--agent-only",) if agent_only else ()))
        return _ended(undo, "applied", outcome.message)

    return (Step(name="remove", concerns=lambda *_: True, act=each(remove)),)


def _drain(undo: Undo, before: HostOutcome) -> HostOutcome:
    drain_host(undo.host, undo.running)
    return before


def _take_back(undo: Undo, _: HostOutcome) -> HostOutcome:
    outcome = _agent(undo, "revert")
    return _ended(undo, outcome.result, outcome.message, outcome.txn)


def _try_boot(undo: Undo, before: HostOutcome) -> HostOutcome:
    assert before.txn is not None, "only staged hosts are tried"
    seen = try_boot(undo.host, undo.trial, before.txn, drained=bool(undo.running))
    return _ended(undo, "committed", seen, before.txn)


def _recover(undo: Undo, _: HostOutcome) -> HostOutcome:
    """It is well when nothing is open afterwards."""
    try:
        outcome = _agent(undo, "recover")
    except RolledBackError as error:  # what was open is wholly undone: that is what was asked for
        return _ended(undo, "applied", error.seen)
    return _ended(undo, "no_change", outcome.message)


def _agent(undo: Undo, *words: str) -> AgentOutcome:
    answer = over_ssh(Ssh.of(undo.host))(agent_argv(*words), b"", REVERT_TIMEOUT_S)
    return read_outcome(undo.host.name, answer)


def _after(undo: Undo) -> str:
    brings = command("apply", "--limit", undo.host.name)
    return f"its engine was stopped for it; {brings}, or a deploy, brings one back" if undo.running else ""


def _ended(undo: Undo, result: Result, seen: str, txn: str | None = None) -> HostOutcome:
    return HostOutcome(host=undo.host.name, result=result, seen=seen, hint=_after(undo), txn=txn)
