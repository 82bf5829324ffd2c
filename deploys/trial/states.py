"""The controller's half of a trial boot as decisions: what to do next, and who brought the host back. Pure.

A reboot is recognised by its boot id and by nothing else: a host that answers may not have restarted yet.
The record that counts is the host's own; the controller adds what only it can know: the text on the
console, the watchdog's reset, and that it cut the power itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inventory.power_evidence import Evidence

PANIC = "Kernel panic - not syncing"


class Move(StrEnum):
    """What the controller does next."""

    WAIT = "wait"
    CONFIRM = "confirm"
    FINISHING = "finishing"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next move and its sentence."""

    move: Move
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one `status` of the agent says about a trial."""

    boot_id: str
    entry: str
    trial: Mapping[str, Any]
    last_rollback: Mapping[str, Any]

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Standing:
        """From the agent's document; what is not a table reads as an empty one."""
        trial, last = status.get("trial"), status.get("last_rollback")
        return cls(
            boot_id=str(status.get("boot_id", "")),
            entry=str(status.get("entry", "")),
            trial=trial if isinstance(trial, dict) else {},
            last_rollback=last if isinstance(last, dict) else {},
        )


def next_step(seen: Standing | None, txn: str, before: str) -> Step:
    """What to do after one look; `before` is the boot id the host had when it was told to restart."""
    if seen is None:
        return Step(move=Move.WAIT, reason="does not answer")
    if seen.trial.get("txn") != txn:
        if seen.last_rollback.get("txn") == txn:
            return Step(move=Move.ROLLED_BACK, reason=str(seen.last_rollback.get("reason", "")))
        return Step(move=Move.LOST, reason=f"knows nothing of the trial {txn}; another writer was there")
    return _of_trial(seen, restarted=seen.boot_id != before)


def _of_trial(seen: Standing, *, restarted: bool) -> Step:
    """What the host's own record of the trial asks for."""
    state, closed = str(seen.trial.get("state")), seen.trial.get("closed") is True
    move, reason = Move.WAIT, str(seen.trial.get("reason", ""))
    match state:
        case "committed":
            move = Move.COMMITTED if closed else Move.FINISHING
        case "rolled_back":
            move = Move.ROLLED_BACK if closed else Move.FINISHING
        case "healthy":
            move = Move.CONFIRM
        case "armed":
            reason = f"is up on its {seen.entry} entry" if restarted else "is shutting down"
        case "staged":
            move, reason = Move.LOST, "is not armed; the restart was not asked for"
        case _:
            pass
    return Step(move=move, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who brought the host back, in one word and one sentence."""

    by: str
    reason: str


def cause_of(said: Mapping[str, Any], evidence: Evidence, *, deadman: bool) -> Cause:
    """The host's own word, refined by the console, the resets and our own hand."""
    by, reason = str(said.get("brought_back_by", "unknown")), str(said.get("reason", ""))
    panic = panic_line(evidence.console or "")
    if by in {"grub", "health"}:
        return Cause(by=by, reason=reason)
    if deadman:
        return Cause(by="deadman", reason="nothing answered and nothing reset it, so its power was cycled")
    if by == "watchdog" or "watchdog" in (evidence.resets or ()):
        why = "the hardware watchdog reset the host: nothing committed in its time"
        return Cause(by="watchdog", reason=reason if by == "watchdog" else why)
    if panic is not None:
        return Cause(by="panic", reason=f"the kernel panicked and panic= restarted the host: {panic}")
    return Cause(by=by, reason=reason)


def panic_line(console: str) -> str | None:
    """The kernel's own line about its panic, without time stamp and without the end marker."""
    for line in console.splitlines():
        _, found, why = line.partition(PANIC)
        if found and not line.lstrip().startswith("---[ end"):
            return why.lstrip(": ").strip()[:200]
    return None
