"""The verbs that only read: status and version. `status` has 100 ms: few imports, no process started."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Sequence

from agent import state
from agent.grub import HFT_CFG
from agent.host import ENGINE_CGROUP, JOURNAL_DIR, Host
from agent.journal import transactions
from agent.record import Record, status_of


def agent_version() -> str:
    """The version the build wrote into the zipapp; `source` when run from the source tree."""
    try:
        data = pkgutil.get_data("agent", "VERSION")
    except OSError:
        data = None
    return data.decode().strip() if data else "source"


def record_of(host: Host) -> Record:
    """What this host's own files say."""
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
    )


def status(host: Host, argv: Sequence[str]) -> int:
    """Verb `status`: where this host stands."""
    del argv
    print(json.dumps(status_of(record_of(host))))
    return 0


def version(host: Host, argv: Sequence[str]) -> int:
    """Verb `version`."""
    del host, argv
    print(json.dumps({"schema": 1, "version": agent_version()}))
    return 0
