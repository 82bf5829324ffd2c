"""One small host and one transaction on it, applied in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent import lock, parsing
from agent.host import HostRoot
from agent.transaction import journal, transaction
from agent.transaction import step_handlers as casting
from agent.transaction.outcome import Outcome
from agent.transaction.staleness import topology_digest
from agent.verbs import apply as applying
from tests.support import kill_harness as small

OTHER = "20261121T101501-00000001"


def raw(host: HostRoot, txn: str = small.TXN) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(small.document(topology_digest(host)))
    return found | {"txn": txn}


def run(host: HostRoot, document: dict[str, Any]) -> Outcome:
    parsed = parsing.parse(json.dumps(document).encode())
    with lock.held(host, f"apply {parsed.txn}", wait_s=0):
        return applying.run_locked(host, parsed, applying.committed_of(parsed))


def leave_open(host: HostRoot) -> None:
    """A transaction that was cut off after three steps."""
    document = parsing.parse(json.dumps(raw(host)).encode())
    actors = casting.actors_of(host, document)
    befores = [actor.observe() for actor in actors]
    opened = journal.create(host, document, befores, "2026-11-21T10:15:00Z", None)
    transaction.prepare(opened, actors)
    for index, actor in enumerate(actors[:3]):
        opened.record("step", index=index, sync=False)
        actor.act()


def small_host(root: Path) -> HostRoot:
    """The host of tests/support/kill_harness.py below ROOT."""
    small.lay_out(root)
    return HostRoot(root=str(root))
