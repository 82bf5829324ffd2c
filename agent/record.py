"""What a host's own files say about where it stands: pure, so that agent and controller read them alike.

The agent's verb `status` reads the files in Python; `hft status` fetches the same files with one grep,
because a Python start costs a target 140 ms of CPU, and an emulated one tens of times that. Both hand the
texts to `status_of`. The files: state.json, the journals' progress, hft.cfg, the running command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent import grub
from agent.boot_state import Phase, entry_of, trial_of

SCHEMA = 1
# The journal's phases of a transaction that is neither finished nor undone; "" is one without a first event.
OPEN_PHASES = ("", "prepared", "step", "undoing")
EMPTY_STATE: dict[str, Any] = {
    "schema": 1,
    "committed": None,
    "trial": None,
    "last_rollback": None,
    "last_recovery": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The texts; `journals` are transaction and the text of its progress file, oldest first."""

    version: str
    machine_id: str
    boot_id: str
    cmdline: str
    state: Mapping[str, Any]
    menu: str | None
    journals: tuple[tuple[str, str], ...]
    engine_events: str


def status_of(record: Record) -> dict[str, Any]:
    """The status document; ValueError, TypeError or KeyError for a trial that is not one of ours."""
    known = EMPTY_STATE | dict(record.state)
    return {
        "schema": SCHEMA,
        "version": record.version,
        "machine_id": record.machine_id,
        "boot_id": record.boot_id,
        "entry": _entry(record, known),
        "committed": known["committed"],
        "open_transaction": open_transaction(record.journals),
        "trial": _brief(known["trial"]),
        "last_rollback": known["last_rollback"],
        "last_recovery": known["last_recovery"],
        "engine_active": "populated 1" in record.engine_events.splitlines(),
    }


def open_transaction(journals: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """The transaction that is neither finished nor undone; its phase says how far it came."""
    for txn, progress in reversed(journals):
        phase = phase_of(progress)
        if phase in OPEN_PHASES or phase == "staged":
            return {"txn": txn, "phase": phase or "journaled"}
    return None


def phase_of(progress: str) -> str:
    """The phase of the last whole line; a torn line never happened."""
    phase = ""
    for line in progress.split("\n"):
        try:
            phase = str(json.loads(line)["phase"])
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    return phase


def _entry(record: Record, known: Mapping[str, Any]) -> str:
    """Which of our entries is running: good, candidate, previous or foreign."""
    try:
        menu = None if record.menu is None else grub.parse(record.menu)
    except ValueError:
        menu = None
    trial = trial_of(known["trial"])
    done = trial.txn if trial and trial.state is Phase.COMMITTED else None
    return entry_of(record.cmdline.split(), menu, done or (known["committed"] or {}).get("txn"))


def _brief(trial: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of the trial's record, what the controller asks for."""
    return {key: trial.get(key) for key in ("txn", "state", "reason", "closed")} if trial else None
