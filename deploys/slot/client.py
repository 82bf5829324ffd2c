"""Looking at a host and changing it: one round trip each, over whatever connection the caller has.

The answer of a change says what the host is now: applied, as it was, refused, or taken back. The agent is
installed first where another or none is (deploys/agent_client/call.py), which costs one more trip once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from deploys.agent_client.call import AgentOutcome, Call, install_if_needed, read_json, read_outcome
from deploys.slot.program import program
from deploys.slot.signed_limits import vouched
from deploys.slot.slot_changes import Asked, SlotChanges, decide, files_asked
from deploys.slot.slot_state import Seen, parse_seen
from deploys.slot.undeploy import Removal
from deploys.slot.unit import TICKET_UNIT
from deploys.tune.changes import STANDINS
from deploys.tune.document import SCHEMA, transaction_name
from engine.host import places
from engine.host.bootstrap import ARGV, framed
from inventory.model import Host

LOOK_TIMEOUT_S = 120.0
INSTALL_TIMEOUT_S = 600.0


def look_at(host: Host, asked: Asked, call: Call) -> Seen:
    """One look at the host and the slot, for a deploy."""
    return look_slot(
        host, asked.slot, call, asked.package.digest, asked.package.manifest.exec.interpreter[:1]
    )


def decided_on(host: Host, asked: Asked, call: Call) -> SlotChanges:
    """Look at the host, verify what was asked for under what it trusts, and decide."""
    seen = look_at(host, asked, call)
    return decide(host, vouched(host, asked, seen), seen)


def look_slot(host: Host, slot: str, call: Call, digest: str = "", programs: Sequence[str] = ()) -> Seen:
    """One look at the host and the slot."""
    hashed, texts = files_asked(slot)
    question = {
        "slot": slot,
        "digest": digest,
        "files": hashed,
        "texts": texts,
        "units": [TICKET_UNIT],
        "standins": STANDINS,
        "programs": list(programs),
    }
    answer = call(ARGV, framed(program(), "look", question), LOOK_TIMEOUT_S)
    return parse_seen(host.name, read_json(host.name, answer))


def act_on(work: SlotChanges, call: Call) -> AgentOutcome:
    """Do it; raises what the host's answer means when it did not end well."""
    host, asked = work.host, work.asked
    document = json.dumps(transaction(work)).encode() if work.steps else b""
    if document:
        install_if_needed(host.name, call, work.seen.agent_version)
    release = asked.package.packed if work.seen.release is not None else b""
    question = {
        "slot": asked.slot,
        "digest": asked.package.digest,
        "release_bytes": len(release),
        "stop": list(work.stop),
        "reload": list(work.reload),
        "opens_gate": work.seen.is_trial_boot,
    }
    stdin = framed(program(), "install", question, release, document)
    return read_outcome(host.name, call(ARGV, stdin, INSTALL_TIMEOUT_S))


def remove_slot(work: Removal, call: Call) -> AgentOutcome:
    """Take the slot away; releases and journal stay."""
    question = {
        "slot": work.slot,
        "digest": None,
        "release_bytes": 0,
        "stop": [places.unit_of(work.slot)] if work.stops else [],
        "reload": [],
        "opens_gate": False,
    }
    install_if_needed(work.host.name, call, work.seen.agent_version)
    stdin = framed(program(), "install", question, json.dumps(transaction(work)).encode())
    return read_outcome(work.host.name, call(ARGV, stdin, INSTALL_TIMEOUT_S))


def transaction(work: SlotChanges | Removal) -> dict[str, Any]:
    """The agent's document: the plan stays the committed one, and a machine that changed refuses it."""
    return {
        "schema": SCHEMA,
        "txn": transaction_name(datetime.now(UTC), work.seen.last_txn),
        "host": work.host.name,
        "machine_id": work.host.machine_id or "",
        "plan_hash": work.plan.plan_hash,
        "topology_digest": work.plan.topology_digest,
        "steps": work.steps,
        "boot": None,
    }
