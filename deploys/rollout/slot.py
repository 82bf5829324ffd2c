"""`hft engine deploy` and `hft engine remove` as steps: one transaction for a host's slot."""

from __future__ import annotations

from collections.abc import MutableMapping

from deploys.agent_client.call import over_ssh
from deploys.rollout.outcome import HostOutcome
from deploys.rollout.rollout import Step, each
from deploys.slot.client import act_on, remove_slot
from deploys.slot.slot_changes import SlotChanges
from deploys.slot.undeploy import Removal
from transport.hint import command
from transport.ssh import Ssh


def deploy_steps(keys: MutableMapping[str, str]) -> tuple[Step[SlotChanges], ...]:
    """Bring the release and all around it; KEYS gets the ticket key of a host that made one."""

    def bring(changes: SlotChanges, _: HostOutcome) -> HostOutcome:
        outcome = act_on(changes, over_ssh(Ssh.of(changes.host)))
        if outcome.ticket_key is not None:
            keys[changes.host.name] = outcome.ticket_key
        asked, changed = changes.asked, tuple(one.sentence for one in changes.pending)
        return HostOutcome(
            host=changes.host.name,
            result="applied",
            seen=f"slot {asked.slot} runs {asked.package.name}, {len(changed)} changes",
            txn=outcome.txn,
            changed=changed,
        )

    return (Step(name="deploy", concerns=lambda changes, _: bool(changes.pending), act=each(bring)),)


def remove_steps() -> tuple[Step[Removal], ...]:
    """Take everything of the slot away but releases and journals."""

    def take_away(removal: Removal, _: HostOutcome) -> HostOutcome:
        outcome = remove_slot(removal, over_ssh(Ssh.of(removal.host)))
        return HostOutcome(
            host=removal.host.name,
            result="applied",
            seen=f"slot {removal.slot} is empty",
            hint=f"{command('apply', '--limit', removal.host.name)} brings the stand-ins back",
            txn=outcome.txn,
        )

    return (Step(name="remove", concerns=lambda *_: True, act=each(take_away)),)
