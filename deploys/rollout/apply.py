"""`hft apply` as steps: drain, send, try the boot, start the engine again, settle.

A host goes through the steps that concern it: without --drain, a boot change or an engine to start again
that is `send` alone. What was decided from one look is what is sent; the agent refuses it on a host that
changed meanwhile (compare and swap, topology digest), so nothing is looked at twice. Only behind a drain or
a new boot does `settle` look again, for what could not be changed before.

Importing this module patches the standard library for pyinfra (deploys/pyinfra/runtime.py): a run that finds
nothing to do never imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deploys.agent_client.call import over_ssh
from deploys.pyinfra.converge import converge
from deploys.pyinfra.runtime import Ran, interrupts_to_caller, run_hosts
from deploys.rollout.outcome import HostOutcome, outcome_of
from deploys.rollout.rollout import Outcomes, Step, Take, each
from deploys.trial.resume import try_boot
from deploys.tune.changes import busy_units
from deploys.tune.drain import drain_host, resume_host
from deploys.tune.host_changes import HostChanges, carries_standins
from deploys.tune.host_state import HostState
from deploys.tune.observe import look
from transport.errors import HostError
from transport.ssh import Ssh

STOPPED = "its engine was stopped for the change and nobody starts it again: do that, or finish the change"
GUARD = interrupts_to_caller  # this process is patched for pyinfra: see rollout()
Decide = Callable[[HostChanges, HostState], HostChanges]


def apply_steps(decide_again: Decide, *, drain: bool) -> tuple[Step[HostChanges], ...]:
    """The steps; DECIDE_AGAIN decides for the same plan after a drain or a new boot, or refuses another."""

    def drains(changes: HostChanges, _: HostOutcome) -> bool:
        return drain and changes.observed.engine_active

    def boots(changes: HostChanges, outcome: HostOutcome) -> bool:
        return outcome.result == "staged" or changes.is_staged

    def stopped(changes: HostChanges, outcome: HostOutcome) -> bool:
        return outcome.result == "committed" or drains(changes, outcome)

    def settles(changes: HostChanges, outcome: HostOutcome) -> bool:
        return outcome.is_good and stopped(changes, outcome)

    def boot(changes: HostChanges, outcome: HostOutcome) -> HostOutcome:
        return _try_boot(changes, outcome, drained=drain)

    def settle(chosen: Sequence[HostChanges], so_far: Outcomes, take: Take) -> None:
        _settle(chosen, so_far, take, decide_again)

    return (
        Step(name="drain", concerns=drains, act=each(_drain), leaves=STOPPED),
        Step(name="send", concerns=lambda changes, _: bool(changes.now), act=_send),
        Step(name="trial boot", concerns=boots, act=each(boot)),
        Step(name="resume", concerns=stopped, act=each(_resume), puts_right=True),
        Step(name="settle", concerns=settles, act=settle),
    )


def _drain(changes: HostChanges, before: HostOutcome) -> HostOutcome:
    drain_host(changes.host, changes.observed.engine_units)
    return replace(before, seen="drained")


def _send(chosen: Sequence[HostChanges], _: Outcomes, take: Take) -> None:
    """Each host its document, through pyinfra's operations, at once."""
    run_hosts(chosen, _converge, lambda name, ran: take(_sent(name, ran)))


def _converge() -> None:
    converge()


def _sent(name: str, ran: Ran) -> HostOutcome:
    outcome = ran.outcome
    if ran.error is not None:
        return outcome_of(name, ran.error, outcome.txn if outcome is not None else None)
    if outcome is None:
        return HostOutcome(host=name, result="no_change", seen="as planned, nothing was sent")
    changed = () if outcome.result == "no_change" else tuple(item.sentence for item in ran.added)
    return HostOutcome(
        host=name, result=outcome.result, seen=outcome.message, txn=outcome.txn, changed=changed
    )


def _try_boot(changes: HostChanges, before: HostOutcome, *, drained: bool) -> HostOutcome:
    """The trial boot of what was staged, in this run or in one before it."""
    txn = before.txn or changes.observed.open_trial
    assert txn is not None, "only staged hosts are tried"
    seen = try_boot(changes.host, changes.trial, txn, drained=drained)
    changed = tuple(item.sentence for item in changes.pending)
    return HostOutcome(host=changes.host.name, result="committed", seen=seen, txn=txn, changed=changed)


def _resume(changes: HostChanges, before: HostOutcome) -> HostOutcome:
    """Start the engine on the committed boot, or again after a drain."""
    units = busy_units(changes.plan, changes.observed, standins=carries_standins(changes.host))
    resume_host(changes.host.name, over_ssh(Ssh.of(changes.host)), units)
    return before


def _settle(chosen: Sequence[HostChanges], so_far: Outcomes, take: Take, decide_again: Decide) -> None:
    """Look again and send what could only follow; a host that settles well keeps the outcome it had."""
    seen = look([changes.host for changes in chosen])
    again = []
    for changes in chosen:
        name = changes.host.name
        try:
            observed = seen[name]
            if isinstance(observed, HostError):
                raise observed
            decided = decide_again(changes, observed)
        except Exception as error:  # a host that cannot be planned on its new boot is that host's outcome
            take(outcome_of(name, error, so_far[name].txn))
        else:
            if decided.now:
                again.append(decided)
            else:
                take(so_far[name])
    _send(again, so_far, lambda late: take(so_far[late.host] if late.is_good else late))
