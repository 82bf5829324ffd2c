"""The verbs that only read: status and version. `status` may take 100 ms: few imports, no subprocess."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent import state
from agent.host import HostRoot, agent_version
from agent.paths import ENGINE_CGROUP, HFT_CFG, JOURNAL_DIR, LOCK_FILE
from agent.record import Record, status_of
from agent.transaction.journal import transactions


def record_of(host: HostRoot) -> Record:
    """The status of this host, from its own files."""
    journals = ((txn, host.read(f"{JOURNAL_DIR}/{txn}/progress")) for txn in transactions(host))
    return Record(
        version=agent_version(),
        machine_id=host.machine_id(),
        boot_id=host.boot_id(),
        cmdline=" ".join(host.cmdline()),
        state=state.read(host),
        menu=host.read(HFT_CFG),
        journals=tuple((txn, text) for txn, text in journals if text is not None),
        engine_events=host.read(f"{ENGINE_CGROUP}/cgroup.events") or "",
        lock=host.read(LOCK_FILE) or "",
    )


def status(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `status`: the state of this host."""
    del argv
    print(json.dumps(status_of(record_of(host))))
    return 0


def version(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `version`."""
    del host, argv
    print(json.dumps({"schema": 1, "version": agent_version()}))
    return 0
