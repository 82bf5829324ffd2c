"""Undoing: after an error, a kill or a power cut the host is exactly as it was before the transaction.

Every actor's undo is idempotent and self-contained, so undoing may be killed and repeated. Before the first
undo the journal says `undoing`: from then on the transaction cannot be mistaken for done. After a reboot the
live values are left alone: the boot sets them from the files, and this runs before systemd-sysctl reads
those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent import state
from agent.errors import AgentError
from agent.host import HostRoot
from agent.paths import STATE_FILE
from agent.record import OPEN_PHASES
from agent.transaction import journal as journals
from agent.transaction.journal import TransactionJournal
from agent.transaction.outcome import Outcome, StepResult
from agent.transaction.step_handler import Actor
from agent.transaction.step_handlers import actors_of
from agent.transaction.step_unit import reload
from tuning.units import UNIT_DIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The result of undoing: a note per step, and what could not be restored."""

    notes: dict[int, str]
    problems: tuple[str, ...]
    stuck: frozenset[int] = frozenset()


def give_up(journal: TransactionJournal, actors: Sequence[Actor], failure: AgentError) -> Outcome:
    """Undo the transaction that has just failed, and report it."""
    begun = journal.done_steps
    undone = undo(journal, actors)
    message = f"{failure}; the host is as it was before"
    if undone.problems:
        message = f"{failure}; and not everything could be undone: {'; '.join(undone.problems)}"
    steps = [
        StepResult(
            index=index,
            kind=actor.kind,
            target=actor.target,
            result=_became(index, wanted=before.wanted, begun=begun, stuck=undone.stuck),
            note=undone.notes.get(index, before.note),
        )
        for index, (actor, before) in enumerate(zip(actors, journal.befores, strict=True))
        if actor.target != STATE_FILE
    ]
    txn = journal.document.txn
    result = "half_undone" if undone.problems else "reverted"
    return Outcome(txn=txn, result=result, code=failure.code, message=message, steps=steps)


def _became(index: int, *, wanted: bool, begun: Collection[int], stuck: Collection[int]) -> str:
    """What became of one step of an abandoned transaction."""
    if index in stuck:
        return "not_undone"
    return "unchanged" if wanted else "reverted" if index in begun else "not_run"


def undo(journal: TransactionJournal, actors: Sequence[Actor]) -> Undone:
    """Undo every step, newest first; `reverted` is recorded only when all are undone."""
    try:
        journal.record("undoing", sync=False)
    except OSError as error:
        if journal.phase in journals.KEPT_PHASES:
            # The journal says `done` and cannot be changed: undoing part of it now would be
            # the one way to an inconsistent host.
            return Undone(notes={}, problems=(f"the journal cannot be written ({error.strerror})",))
    undone = undo_steps(journal, actors)
    if not undone.problems:
        with contextlib.suppress(OSError):  # without the record, the next recovery repeats it
            journal.record("reverted")
            journals.forget_secrets(journal)
    return undone


def undo_steps(journal: TransactionJournal, actors: Sequence[Actor]) -> Undone:
    """The undo of each actor, then systemd's daemon-reload, then whatever had to wait for it."""
    same_boot = journal.boot_id == journal.host.boot_id()
    notes: dict[int, str] = {}
    problems: list[str] = []
    stuck: set[int] = set()
    changed = [(index, actor) for index, actor in enumerate(actors) if not journal.befores[index].wanted]
    for index, actor in reversed(changed):
        if actor.is_live and not same_boot:
            notes[index] = "already reset by the reboot"
            continue
        try:
            notes[index] = actor.undo(journal.befores[index])
        except (OSError, AgentError) as error:
            problems.append(f"{actor.target}: {error}")
            stuck.add(index)
    if any(actor.kind == "unit" or actor.target.startswith(UNIT_DIR + "/") for _, actor in changed):
        with contextlib.suppress(AgentError):
            reload(journal.host)
        for index, actor in changed:
            notes[index] = actor.settle(journal.befores[index], same_boot=same_boot) or notes.get(index, "")
    return Undone(notes=notes, problems=tuple(problems), stuck=frozenset(stuck))


def tidy(journal: TransactionJournal, actors: Sequence[Actor]) -> None:
    """Remove what prepare left; a failure leaves a hidden file that the next recovery removes."""
    with contextlib.suppress(OSError, AgentError):
        for actor, before in zip(actors, journal.befores, strict=True):
            if not before.wanted:
                actor.tidy()
        journals.forget_secrets(journal)
        journals.prune(journal.host, keep=journal.document.txn)


def recover_all(host: HostRoot, at: str) -> list[Outcome]:
    """Undo every open transaction, newest first, and tidy up after the last one that was kept."""
    journals.sweep(host)
    phases = {txn: journals.phase_of(host, txn) for txn in journals.transactions(host)}
    open_ones = [txn for txn, phase in phases.items() if phase in OPEN_PHASES]
    outcomes = [recover_one(host, txn, at) for txn in reversed(open_ones)]
    last = max(phases, key=lambda txn: journals.last_event_at(host, txn), default=None)
    if last is not None and phases[last] in journals.KEPT_PHASES:
        journal = journals.load(host, last)
        tidy(journal, actors_of(host, journal.document))
    elif last is not None and phases[last] == "reverted":
        with contextlib.suppress(OSError):
            journals.forget_secrets(journals.load(host, last))
    return outcomes


def recover_one(host: HostRoot, txn: str, at: str) -> Outcome:
    """Undo one open transaction and record its message in state.json."""
    journal = journals.load(host, txn)
    actors = actors_of(host, journal.document)
    reached = f"step {max(journal.done_steps)}" if journal.done_steps else "its prepare stage"
    cut = AgentError("interrupted", f"transaction {txn} was interrupted at {reached}")
    result = give_up(journal, actors, cut)
    with contextlib.suppress(OSError):  # a full disk must not fail a recovery that is done
        state.update(
            host, last_recovery={"txn": txn, "result": result.result, "at": at, "message": result.message}
        )
    return result
