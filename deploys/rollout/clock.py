"""`hft clock apply` as steps: what keeps a host's time, in a transaction or two."""

from __future__ import annotations

from deploys.agent_client.call import over_ssh
from deploys.clock.changes import ClockChanges
from deploys.clock.client import act_on
from deploys.rollout.outcome import HostOutcome
from deploys.rollout.rollout import Step, each
from transport.hint import command
from transport.ssh import Ssh


def clock_steps() -> tuple[Step[ClockChanges], ...]:
    """Bring what is pending; whether the clock is right is the check's to say."""

    def bring(work: ClockChanges, _: HostOutcome) -> HostOutcome:
        outcome = act_on(work, over_ssh(Ssh.of(work.host)))
        changed = tuple(one.sentence for one in (*work.stopping, *work.pending))
        return HostOutcome(
            host=work.host.name,
            result="applied",
            seen=f"its clock is kept by {work.clock.writer.unit}, {len(changed)} changes",
            hint=f"see whether it is right: {command('clock', 'check', '--limit', work.host.name)}",
            txn=outcome.txn,
            changed=changed,
        )

    return (Step(name="clock", concerns=lambda work, _: bool(work.documents), act=each(bring)),)
