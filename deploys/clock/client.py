"""Looking at a host's clock and changing it: two looks, then a transaction or two through the agent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deploys.agent_client.call import (
    AgentOutcome,
    Call,
    agent_argv,
    install_if_needed,
    read_json,
    read_outcome,
)
from deploys.clock.changes import PROGRAMS, ClockChanges, Step, decide_clock, files_asked
from deploys.clock.decide import clock_of
from deploys.errors import DeployError, RefusedError
from deploys.slot.program import program
from deploys.slot.slot_state import Seen, parse_seen
from deploys.tune.changes import STANDINS
from deploys.tune.document import SCHEMA, transaction_name
from deploys.tune.host_state import HostState
from engine.host.bootstrap import ARGV, framed
from inventory.model import Host
from tuning.topology.reader import read_topology
from tuning.units import CLOCK_UNITS, OTHER_CLOCK_WRITERS

LOOK_TIMEOUT_S = 120.0
APPLY_TIMEOUT_S = 300.0


def look_clock(host: Host, call: Call) -> Seen:
    """One look at what keeps the host's time."""
    question = {
        "slot": "a",
        "digest": "",
        "files": files_asked(),
        "texts": [],
        "units": [*CLOCK_UNITS, *OTHER_CLOCK_WRITERS],
        "standins": STANDINS,
        "programs": list(PROGRAMS),
    }
    answer = call(ARGV, framed(program(), "look", question), LOOK_TIMEOUT_S)
    return parse_seen(host.name, read_json(host.name, answer))


def decided_on(host: Host, observed: HostState, call: Call) -> ClockChanges:
    """Look at what keeps the time of a host that was OBSERVED, and decide by the plan committed there."""
    seen = look_clock(host, call)
    clock = clock_of(host, read_topology(observed.snapshot), seen.plan)
    engines = [unit for unit in observed.engine_units if not unit.startswith(STANDINS)]
    return decide_clock(host, clock, seen, engine_active=bool(engines))


def act_on(work: ClockChanges, call: Call) -> AgentOutcome:
    """Do it; the outcome of the last transaction, or what the host's answer means when it failed."""
    name, last = work.host.name, work.seen.last_txn
    install_if_needed(name, call, work.seen.agent_version)
    outcome = None
    for steps in work.documents:
        document = transaction(work, steps, last)
        outcome = read_outcome(
            name, call(agent_argv("apply"), json.dumps(document).encode(), APPLY_TIMEOUT_S)
        )
        last = document["txn"]
        if outcome.txn not in (None, last):
            raise DeployError(name, f"its agent answered for {outcome.txn}, not for {last}")
    if outcome is None:
        raise RefusedError(name, "nothing is pending there")
    return outcome


def transaction(work: ClockChanges, steps: list[Step], last: str) -> dict[str, Any]:
    """The agent's document: the plan stays the committed one, and a machine that changed refuses it."""
    assert work.seen.plan is not None, "decided by the plan that is committed there"
    return {
        "schema": SCHEMA,
        "txn": transaction_name(datetime.now(UTC), last),
        "host": work.host.name,
        "machine_id": work.host.machine_id or "",
        "plan_hash": work.seen.plan.plan_hash,
        "topology_digest": work.seen.plan.topology_digest,
        "steps": steps,
        "boot": None,
    }
