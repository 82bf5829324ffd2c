"""The host's status from its own files: pure, so that agent and controller read them alike.

The agent's verb `status` reads the files in Python; `hft status` fetches the same files with one grep,
because starting Python costs a host 140 ms of CPU time, and an emulated one tens of times that. Both pass the
texts to `status_of`. The files: state.json, the journals' progress, hft.cfg, the running command line, and
the lock, which names its holder while it is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.boot import grub
from agent.boot.states import OPEN, Phase, entry_of, trial_of
from agent.parsing import TXN
from agent.paths import EMPTY_STATE
from tuning.units import is_populated

SCHEMA = 1
# The journal phases of a transaction that is neither finished nor undone; "" is one without any event yet.
OPEN_PHASES = ("", "prepared", "step", "undoing")
# The states of a trial that is neither committed nor rolled back, as they are written down.
OPEN_TRIAL = frozenset(state.value for state in OPEN)


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
    lock: str = ""


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
        "engine_active": is_populated(record.engine_events),
        "busy": busy_of(record),
    }


def busy_of(record: Record) -> str | None:
    """Who holds the host's lock; what a power cut left in the file was written in another boot."""
    try:
        found = json.loads(record.lock)
    except (ValueError, RecursionError):
        return None
    is_of_this_boot = isinstance(found, dict) and record.boot_id and found.get("boot_id") == record.boot_id
    return holder_of(record.lock)[0] if is_of_this_boot else None


def holder_of(text: str) -> tuple[str, bool]:
    """Who holds the lock, and whether for moments only; of what is not known that is never assumed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip() or "another writer", False
    if not isinstance(found, dict) or not isinstance(found.get("holder"), str):
        return "another writer", False
    return found["holder"] or "another writer", found.get("brief") is True


def last_name(journals: Iterable[str], state: Mapping[str, Any]) -> str:
    """The greatest name of a transaction that was begun on a host, "" for none: the next one is after it.

    The journal of the last one is always kept, whether it was done or undone; the state remembers the
    committed one and its trial where somebody cleared the journal away.
    """
    parts = (state.get(part) for part in ("committed", "trial", "last_rollback", "last_recovery"))
    named = (part.get("txn") for part in parts if isinstance(part, Mapping))
    found = [name for name in (*journals, *named) if isinstance(name, str) and TXN.match(name)]
    return max(found, default="")


def name_after(last: str, now: datetime, token: str) -> str:
    """A name that sorts by time and after LAST, even when the clock that said LAST is ahead of this one."""
    made = f"{now:%Y%m%dT%H%M%S}-{token}"
    if made > last:
        return made
    try:
        after = datetime.strptime(last[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) + timedelta(seconds=1)
    except (ValueError, OverflowError):  # named after no time: the host says so when it is asked
        return made
    return f"{after:%Y%m%dT%H%M%S}-{token}"


def open_transaction(journals: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """The transaction that is neither finished nor undone; its phase says how far it got."""
    for txn, progress in reversed(journals):
        phase = phase_of(progress)
        if phase in OPEN_PHASES or phase == "staged":
            return {"txn": txn, "phase": phase or "journaled"}
    return None


def phase_of(progress: str) -> str:
    """The phase of the last complete line; a torn line counts as never written."""
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
    """The part of the trial's record that the controller needs."""
    return {key: trial.get(key) for key in ("txn", "state", "reason", "closed")} if trial else None
