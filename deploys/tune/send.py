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
    read_outcome,
    refusals_of,
)
from deploys.errors import DeployError
from deploys.tune.changes import Change
from deploys.tune.drain import resume_host
from deploys.tune.host_changes import HostChanges
from transport.hint import command

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


def starts_engine_on_trial_boot(changes: HostChanges, items: Sequence[Change]) -> bool:
    """Whether this starts the engine on a boot that was a trial, and its gate may still be shut."""
    starts = any(step["kind"] == "unit" and step["active"] for item in items for step in item.steps)
    return starts and "hft.txn=" in (changes.observed.text("/proc/cmdline") or "")
