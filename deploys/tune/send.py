"""One document to one host, one outcome back: one round trip over whatever connection the caller has.

The agent on the host writes it as one transaction (journal, compare and swap, read back). Only when the agent
is missing or of another version is it installed first, which costs one more trip, once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from deploys.agent_client.call import (
    AgentOutcome,
    Call,
    agent_argv,
    install_if_needed,
    over_ssh,
    read_outcome,
    refusals_of,
)
from deploys.errors import DeployError, RefusedError
from deploys.tune.changes import Change
from deploys.tune.drain import resume_host
from deploys.tune.host_changes import HostChanges
from transport.at_once import at_once
from transport.errors import HostError
from transport.hint import command
from transport.ssh import Ssh

APPLY_TIMEOUT_S = 300


def send(changes: HostChanges, items: Sequence[Change], call: Call) -> AgentOutcome:
    """Apply these items; the agent's outcome when it is a good one, else the HostError that it means."""
    install_if_needed(changes.host.name, call, changes.observed.agent_version)
    if starts_engine_on_trial_boot(changes, items):
        resume_host(changes.host.name, call, ())
    name, document = changes.host.name, changes.document(items)
    outcome = read_outcome(name, call(agent_argv("apply"), json.dumps(document).encode(), APPLY_TIMEOUT_S))
    if outcome.txn != document["txn"]:
        seen = f"its agent answered for {outcome.txn or 'no transaction'}, not for {document['txn']}"
        raise DeployError(
            name, f"{seen}: what is there is not known", hint=f"look: {command('status', name)}"
        )
    return outcome


def would_refuse(changes: HostChanges, call: Call) -> tuple[str, ...]:
    """Why the host would refuse what is pending there, by its agent's own functions; nothing is written."""
    asked = json.dumps(changes.document(changes.now)).encode()
    return refusals_of(changes.host.name, call, changes.observed.agent_version, asked)


def refusals(every: Sequence[HostChanges]) -> list[tuple[str, HostError]]:
    """Host and reason of each thing that hosts would refuse, or why one could not be asked.

    One that a foreign file overrules has its reason already.
    """
    asked = [one for one in every if one.now and not one.overruled]
    answers = at_once(_refusals_of, asked)
    return [(one.host.name, error) for one, errors in zip(asked, answers, strict=True) for error in errors]


def _refusals_of(changes: HostChanges) -> list[HostError]:
    try:
        told = would_refuse(changes, over_ssh(Ssh.of(changes.host)))
    except HostError as error:
        return [error]
    return [RefusedError(changes.host.name, message) for message in told]


def starts_engine_on_trial_boot(changes: HostChanges, items: Sequence[Change]) -> bool:
    """Whether this starts the engine on a boot that was a trial, and its gate may still be shut."""
    starts = any(step["kind"] == "unit" and step["active"] for item in items for step in item.steps)
    return starts and "hft.txn=" in (changes.observed.text("/proc/cmdline") or "")
