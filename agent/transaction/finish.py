"""How a staged transaction ends: its journal closed as committed, or all of its other steps undone.

Both are idempotent: after a power cut in the middle, the health service of the next boot calls them again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent import lock, state
from agent.errors import AgentError, StepFailedError
from agent.host import HostRoot
from agent.transaction import journal as journals
from agent.transaction import recovery
from agent.transaction.journal import TransactionJournal
from agent.transaction.step_handlers import actors_of

LOCK_WAIT_S = 60.0


def commit_staged(host: HostRoot, txn: str) -> None:
    """The trial succeeded: the whole transaction is committed."""
    with lock.held(host, f"recover: commit of {txn}", wait_s=LOCK_WAIT_S, brief=True):
        if txn not in journals.transactions(host):
            return
        journal = journals.load(host, txn)
        state.update(host, committed=committed_by(host, journal))
        if journal.phase == "staged":
            journal.record("committed")
        journals.forget_secrets(journal)


def committed_by(host: HostRoot, journal: TransactionJournal) -> dict[str, Any] | None:
    """The committed state from then on: this plan, or the one before the plan that this reverts."""
    document = journal.document
    if document.reverts is not None:
        known = document.reverts in journals.transactions(host)
        return journals.load(host, document.reverts).previous if known else None
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"plan_hash": document.plan_hash, "txn": document.txn, "at": at}


def revert_staged(host: HostRoot, txn: str, reason: str) -> None:
    """The trial failed: the rest of the transaction is undone too, and the host is as it was before."""
    with lock.held(host, f"recover: roll-back of {txn}", wait_s=LOCK_WAIT_S, brief=True):
        if txn not in journals.transactions(host):
            return
        journal = journals.load(host, txn)
        if journal.phase == "reverted":
            return
        done = recovery.give_up(journal, actors_of(host, journal.document), AgentError("rolled_back", reason))
        if journal.phase != "reverted":
            raise StepFailedError("step_failed", done.message)
