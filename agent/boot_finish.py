"""How a staged transaction ends: its journal closed as committed, or every one of its other steps undone.

Both are idempotent: a power cut in the middle is finished by the health service of the next boot, which calls
them again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent import journal as journals
from agent import lock, recovery, state
from agent.casting import actors_of
from agent.errors import AgentError, StepFailedError
from agent.host import Host
from agent.journal import Journal

LOCK_WAIT_S = 60.0


def commit_staged(host: Host, txn: str) -> None:
    """The trial held: what the whole transaction asked for is what this host is committed to."""
    with lock.held(host, f"recover: commit of {txn}", wait_s=LOCK_WAIT_S):
        if txn not in journals.transactions(host):
            return
        journal = journals.load(host, txn)
        state.update(host, committed=committed_by(host, journal))
        if journal.phase == "staged":
            journal.record("committed")


def committed_by(host: Host, journal: Journal) -> dict[str, Any] | None:
    """What the host is then committed to: this plan, or what was there before the plan this reverts."""
    document = journal.document
    if document.reverts is not None:
        known = document.reverts in journals.transactions(host)
        return journals.load(host, document.reverts).previous if known else None
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"plan_hash": document.plan_hash, "txn": document.txn, "at": at}


def revert_staged(host: Host, txn: str, reason: str) -> None:
    """The trial did not hold: the rest of the transaction goes back too, the host is wholly as before."""
    with lock.held(host, f"recover: roll-back of {txn}", wait_s=LOCK_WAIT_S):
        if txn not in journals.transactions(host):
            return
        journal = journals.load(host, txn)
        if journal.phase == "reverted":
            return
        done = recovery.give_up(journal, actors_of(host, journal.document), AgentError("rolled_back", reason))
        if journal.phase != "reverted":
            raise StepFailedError("step_failed", done.message)
