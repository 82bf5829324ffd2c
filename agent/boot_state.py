"""The trial as a state machine, and what a boot means for it. Pure: values in, a decision with its sentence
out.

    staged -> armed -> booted -> healthy -> committed
       |        |         |         |
       +--------+---------+---------+-----> rolled_back

`staged`: the candidate entry is in the menu, nothing points at it. `armed`: GRUB's one-shot points at it.
`booted` and `healthy` are written by the candidate itself. The truth is always which entry GRUB booted,
read from the marker on the kernel command line: `hft.txn=` is the candidate, `hft.good=` a proven entry.
The record in state.json only says how far the trial had come, so a power cut between any two writes is
decided by the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from agent.grub import ADOPTED, Menu


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
    # Armed twice: the controller repeats itself. Committed unseen: a power cut right after the promotion.
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
    """An action and its sentence."""

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
            action, reason = Action.CLEAN_UP, f"the roll-back of {txn} is not finished"
        case Phase.COMMITTED:
            action, reason = Action.FINISH_COMMIT, f"{txn} is committed, its clean-up is not finished"
        case _ if promoted:
            action, reason = Action.FINISH_COMMIT, f"{txn} was promoted, its commit is not finished"
        case Phase.STAGED:
            action, reason = Action.NOTHING, f"{txn} is staged and waits for its trial boot"
        case _ if marker(cmdline, "txn") == txn:
            action, reason = Action.CHECK, f"this is the trial boot of {txn}"
        case Phase.ARMED if trial.boot_id == boot_id:
            action, reason = Action.NOTHING, f"{txn} is armed and this host has not restarted yet"
        case _:
            action, reason = Action.ROLL_BACK, f"the trial of {txn} ended and GRUB booted the old entry"
    return Decision(action=action, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Who brought the host back, as far as the host itself can know, and why."""

    brought_back_by: str
    reason: str


def attribute(
    trial: Trial, grubenv: Mapping[str, str], health_reason: str | None, watchdog_fired: bool
) -> Return:
    """Who ended a trial that did not commit; the controller refines `unknown` by console and power."""
    if grubenv.get("hft_tried") != trial.txn:
        why = "GRUB never tried the candidate: the host restarted before the one-shot was set, or lost it"
        return Return(brought_back_by="unknown", reason=why)
    if failed := grubenv.get("hft_failed"):
        return Return(
            brought_back_by="grub", reason=f"GRUB could not load the candidate's {failed} and rebooted"
        )
    if health_reason:
        return Return(brought_back_by="health", reason=health_reason)
    if watchdog_fired:
        why = f"the hardware watchdog reset the host: nothing committed within {trial.watchdog_s} s"
        return Return(brought_back_by="watchdog", reason=why)
    if trial.state in {Phase.BOOTED, Phase.HEALTHY}:
        why = f"the host was reset after the candidate had come up as far as {trial.state}"
        return Return(brought_back_by="unknown", reason=why)
    why = "GRUB started the candidate and it never reached the health service: a panic, a hang or a power cut"
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
class Verdict:
    """Whether a confirmation counts, and the sentence for the controller."""

    accepted: bool
    code: str
    reason: str


def decide_confirm(trial: Trial, given: Sequence[Confirmation], new: Confirmation) -> Verdict:
    """It counts on the healthy candidate, from a connection not seen before, one gap after the last."""
    if trial.state is not Phase.HEALTHY:
        return Verdict(
            accepted=False, code="not_yet", reason=f"trial {trial.txn} is {trial.state}, not healthy"
        )
    if not new.connection:
        return Verdict(
            accepted=False, code="no_connection", reason="no SSH connection stands behind this call"
        )
    if new.connection in {one.connection for one in given}:
        why = "this TCP connection has confirmed before; a confirmation needs a new one"
        return Verdict(accepted=False, code="same_connection", reason=why)
    if given and (wait := given[-1].at_s + trial.confirm_gap_s - new.at_s) > 0:
        why = f"the last confirmation is too young; wait {wait:.1f} s"
        return Verdict(accepted=False, code="too_soon", reason=why)
    return Verdict(accepted=True, code="ok", reason=f"confirmation {len(given) + 1} of {trial.confirmations}")
