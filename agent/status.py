"""The verbs that only read: status and version. `status` has 100 ms: few imports, no process started."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Sequence
from typing import Any

from agent import journal as journals
from agent import state
from agent.host import Host


def agent_version() -> str:
    """The version the build wrote into the zipapp; `source` when run from the source tree."""
    try:
        data = pkgutil.get_data("agent", "VERSION")
    except OSError:
        data = None
    return data.decode().strip() if data else "source"


def open_transaction(host: Host) -> dict[str, str] | None:
    """The transaction that is neither finished nor undone; its phase says how far it came."""
    for txn in reversed(journals.transactions(host)):
        phase = journals.phase_of(host, txn)
        if phase in journals.OPEN_PHASES or phase == "staged":
            return {"txn": txn, "phase": phase or "journaled"}
    return None


def brief_trial(trial: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of the trial's record, what the controller asks for."""
    return trial and {key: trial.get(key) for key in ("txn", "state", "reason", "closed")}


def status(host: Host, argv: Sequence[str]) -> int:
    """Verb `status`: where this host stands."""
    del argv
    from agent import boot

    known = state.read(host)
    answer = {
        "schema": 1,
        "version": agent_version(),
        "machine_id": host.machine_id(),
        "boot_id": host.boot_id(),
        "entry": boot.entry(host),
        "committed": known["committed"],
        "open_transaction": open_transaction(host),
        "trial": brief_trial(known["trial"]),
        "last_rollback": known["last_rollback"],
        "last_recovery": known["last_recovery"],
        "engine_active": boot.engine_active(host),
    }
    print(json.dumps(answer))
    return 0


def version(host: Host, argv: Sequence[str]) -> int:
    """Verb `version`."""
    del host, argv
    print(json.dumps({"schema": 1, "version": agent_version()}))
    return 0
