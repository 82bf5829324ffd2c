"""The trial as a state machine, and what a boot means for it. Pure: values in, a decision and its reason out.

    staged -> armed -> booted -> healthy -> committed
       |        |         |         |
       +--------+---------+---------+-----> rolled_back

Theory. Two places describe a trial, state.json (how far it got) and GRUB's files (what boots next), and they
cannot be changed in one atomic write. So after a power cut the decision does not trust the record: it goes by
the entry that GRUB really booted, read from its marker in /proc/cmdline. `hft.txn=` marks the candidate,
`hft.good=` a proven entry. The record only tells which transaction is open, and whether it has been armed.

What can die at each point, and why the next boot decides right:

    staged         nothing points at the candidate: the good entry boots, and the trial stays staged
    armed          recorded before next_entry is set. A new boot (other boot_id) without the candidate's
                   marker has used up the one-shot, or never had it: roll back, never try again
    GRUB           clears next_entry before it loads anything, so after a bad kernel, a panic or a hang the
                   good entry boots; hft_tried and hft_failed in grubenv say how far GRUB got
    booted,        if only the health service dies, it is restarted, finds the marker and checks again. If
    healthy        the boot dies (panic, watchdog, deadman, power), the good entry boots: roll back
    promotion      one rename of hft.cfg. Before it the good entry is the old one: roll back. After it the
                   good entry carries TXN, whatever the record says: finish the commit
    checkpoint     if it is missing, GRUB boots the old entry although Linux, which replays the journal of
                   /boot, sees the new menu: the running entry wins, roll back and undo the promotion
    committed,     the rest (watchdog, journal, overlay, `closed`) is idempotent: repeat it
    rolled_back

Hence the self-loops in MOVES: a step may be repeated, but a trial that has ended never moves again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from agent.boot.grub import ADOPTED, Menu


class Phase(StrEnum):
    """How far a trial has come."""

    STAGED = "staged"
    ARMED = "armed"
    BOOTED = "booted"
    HEALTHY = "healthy"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.STAGED: frozenset({Phase.ARMED, Phase.ROLLED_BACK}),
    # Armed twice: the controller retried. Armed to committed: a power cut right after the promotion.
    Phase.ARMED: frozenset({Phase.ARMED, Phase.BOOTED, Phase.COMMITTED, Phase.ROLLED_BACK}),
    Phase.BOOTED: frozenset({Phase.BOOTED, Phase.HEALTHY, Phase.COMMITTED, Phase.ROLLED_BACK}),
    Phase.HEALTHY: frozenset({Phase.BOOTED, Phase.HEALTHY, Phase.COMMITTED, Phase.ROLLED_BACK}),
    Phase.COMMITTED: frozenset({Phase.COMMITTED}),
    Phase.ROLLED_BACK: frozenset({Phase.ROLLED_BACK}),
}
OPEN = frozenset({Phase.STAGED, Phase.ARMED, Phase.BOOTED, Phase.HEALTHY})


class IllegalMoveError(Exception):
    """A move the table does not hold; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The durable record of one trial; `closed` once the rest of the transaction is finished or undone."""

    txn: str
    state: Phase
    reason: str
    panic_s: int
    watchdog_s: int
    trial_s: int
    confirmations: int
    confirm_gap_s: int
    args: tuple[str, ...]
    release: str
    kernel_sha256: str
    initrd_sha256: str
    effect: Mapping[str, Any] | None = None
    boot_id: str = ""
    closed: bool = False

    def moved(self, state: Phase, reason: str) -> Trial:
        """The trial after a move; IllegalMoveError when the table does not hold it."""
        if state not in MOVES[self.state]:
            raise IllegalMoveError(f"trial {self.txn} cannot go from {self.state} to {state}")
        return replace(self, state=state, reason=reason)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be decided or cleaned up."""
        return self.state in OPEN or not self.closed

    def to_json(self) -> dict[str, Any]:
        """The record as state.json keeps it."""
        return asdict(self) | {"state": self.state.value, "args": list(self.args)}


def trial_of(raw: Mapping[str, Any] | None) -> Trial | None:
    """The trial of a state.json; keys of a newer agent are dropped."""
    if not raw:
        return None
    known = {field.name for field in fields(Trial)}
    kept = {key: value for key, value in raw.items() if key in known}
    return Trial(**kept | {"state": Phase(kept["state"]), "args": tuple(kept["args"])})


class Action(StrEnum):
    """What the health service does after a boot."""

    NOTHING = "nothing"
    CHECK = "check"
    FINISH_COMMIT = "finish_commit"
    ROLL_BACK = "roll_back"
    CLEAN_UP = "clean_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An action and its reason."""

    action: Action
    reason: str


def marker(cmdline: Sequence[str], name: str) -> str | None:
    """The value of `hft.NAME=` on a command line."""
    prefix = f"hft.{name}="
    return next((word.removeprefix(prefix) for word in cmdline if word.startswith(prefix)), None)


def decide_boot(trial: Trial | None, cmdline: Sequence[str], boot_id: str, good_txn: str | None) -> Decision:
    """What this boot means for the trial; `good_txn` is the transaction of the menu's good entry."""
    if trial is None or not trial.is_open:
        return Decision(action=Action.NOTHING, reason="no trial is open")
    txn = trial.txn
    promoted = marker(cmdline, "good") == txn or (marker(cmdline, "txn") == txn and good_txn == txn)
    match trial.state:
        case Phase.ROLLED_BACK:
            action, reason = Action.CLEAN_UP, f"the rollback of {txn} is not finished"
        case Phase.COMMITTED:
            action, reason = Action.FINISH_COMMIT, f"{txn} is committed, but its cleanup is not finished"
        case _ if promoted:
            action, reason = Action.FINISH_COMMIT, f"{txn} was promoted, but its commit is not finished"
        case Phase.STAGED:
            action, reason = Action.NOTHING, f"{txn} is staged and waiting for its trial boot"
        case _ if marker(cmdline, "txn") == txn:
            action, reason = Action.CHECK, f"this is the trial boot of {txn}"
        case Phase.ARMED if trial.boot_id == boot_id:
            action, reason = Action.NOTHING, f"{txn} is armed and this host has not rebooted yet"
        case _:
            action, reason = Action.ROLL_BACK, f"the trial of {txn} ended and GRUB booted the old entry"
    return Decision(action=action, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What brought the host back, as far as the host itself can tell, and why."""

    brought_back_by: str
    reason: str


def attribute(
    trial: Trial, grubenv: Mapping[str, str], health_reason: str | None, watchdog_fired: bool
) -> Return:
    """What ended a trial that did not commit; the controller refines `unknown` by console and resets."""
    if grubenv.get("hft_tried") != trial.txn:
        why = "GRUB never tried the candidate: the one-shot was lost, or not yet set when the host rebooted"
        return Return(brought_back_by="unknown", reason=why)
    if failed := grubenv.get("hft_failed"):
        return Return(
            brought_back_by="grub", reason=f"GRUB could not load the candidate's {failed} and rebooted"
        )
    if health_reason:
        return Return(brought_back_by="health", reason=health_reason)
    if watchdog_fired:
        why = f"the hardware watchdog reset the host: no commit within {trial.watchdog_s} s"
        return Return(brought_back_by="watchdog", reason=why)
    if trial.state in {Phase.BOOTED, Phase.HEALTHY}:
        why = f"the host was reset after the candidate had reached the phase {trial.state}"
        return Return(brought_back_by="unknown", reason=why)
    why = "GRUB started the candidate, which never reached the health service: panic, hang or power cut"
    return Return(brought_back_by="unknown", reason=why)


def entry_of(cmdline: Sequence[str], menu: Menu | None, committed_txn: str | None) -> str:
    """Which entry is running: good, candidate, previous or foreign."""
    tried = marker(cmdline, "txn")
    if tried is not None:
        return "good" if menu and menu.good.txn == tried and committed_txn == tried else "candidate"
    proven = marker(cmdline, "good")
    if proven is None or menu is None:
        return "foreign"
    if proven == menu.good.txn:
        return "good"
    return "previous" if proven == ADOPTED or (menu.previous and menu.previous.txn == proven) else "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """One new TCP connection of the controller: who (SSH_CONNECTION) and when (CLOCK_BOOTTIME)."""

    connection: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationRuling:
    """Whether a confirmation counts, and the reason for the controller."""

    accepted: bool
    code: str
    reason: str


def decide_confirm(trial: Trial, given: Sequence[Confirmation], new: Confirmation) -> ConfirmationRuling:
    """It counts on a healthy candidate, from a new connection, at least one gap after the last."""
    if trial.state is not Phase.HEALTHY:
        return ConfirmationRuling(
            accepted=False, code="not_yet", reason=f"trial {trial.txn} is {trial.state}, not healthy"
        )
    if not new.connection:
        return ConfirmationRuling(
            accepted=False, code="no_connection", reason="this call did not come over SSH"
        )
    if new.connection in {one.connection for one in given}:
        why = "this TCP connection has already confirmed; each confirmation needs a new one"
        return ConfirmationRuling(accepted=False, code="same_connection", reason=why)
    if given and (wait := given[-1].at_s + trial.confirm_gap_s - new.at_s) > 0:
        why = f"too soon after the last confirmation; wait {wait:.1f} s"
        return ConfirmationRuling(accepted=False, code="too_soon", reason=why)
    return ConfirmationRuling(
        accepted=True, code="ok", reason=f"confirmation {len(given) + 1} of {trial.confirmations}"
    )
