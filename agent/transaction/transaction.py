"""The transaction: observe, journal, prepare, act, read back, done. Or everything as it was before.

    observe all  ->  journal durable  ->  prepare all  ->  [prepared]  ->  act + read back, each  ->  [done]
         |                  |                  |                               |
      refused            nothing the host uses was changed yet             undo all, newest first

One rule makes it provable: a change is made only after its before-image is durable, and `done` is recorded
only after every change is durable and read back. So whoever finds a journal without `done` (this process
after an error, the supervisor after a kill, the boot after a power cut) undoes every step, whatever became
of it, and the host is as it was before (agent/transaction/recovery.py).

state.json is one more file step, so what is reported as committed is old or new together with the rest. A
transaction with a boot part ends as `staged` instead of `done`; the health service then finishes it
(agent/transaction/finish.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent import obstacles, state
from agent.document import KIND_BY_TYPE, Document, FileStep, target_of
from agent.errors import AgentError, RefusedError, StepFailedError, explain_os_error
from agent.host import HostRoot
from agent.paths import STATE_FILE
from agent.transaction import journal as journals
from agent.transaction import recovery
from agent.transaction.journal import TransactionJournal
from agent.transaction.outcome import Outcome, StepResult
from agent.transaction.step_handler import Actor, Before
from agent.transaction.step_handlers import actors_of
from agent.transaction.step_unit import reload
from tuning.held_irqs import HELD_IRQS_FILE
from tuning.units import UNIT_DIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a transaction needs from outside: the time, and the state it commits."""

    at: str
    committed: dict[str, Any] | None
    supervise: Callable[[], None]
    check_fresh: Callable[[], None]


def run(host: HostRoot, document: Document, moment: Moment) -> Outcome:
    """Apply one document; the lock is held. RefusedError when nothing was written."""
    check_turn(host, document)
    obstacles.check(host, files=(HELD_IRQS_FILE,))
    whole = with_state(host, document, moment.committed)
    actors = actors_of(host, whole)
    befores = [actor.observe() for actor in actors]
    if document.boot is None and all(before.wanted for before in befores):
        return outcome(document, befores, "no_change", "everything is already set")
    moment.check_fresh()
    moment.supervise()
    return write(host, whole, actors, befores, moment)


def check_turn(host: HostRoot, document: Document) -> None:
    """RefusedError unless the document is for this machine, and comes after whatever ran here."""
    if document.machine_id != host.machine_id():
        sentence = f"this host's machine-id is {host.machine_id()}, not {document.machine_id}"
        raise RefusedError("wrong_machine", sentence)
    if document.txn in journals.transactions(host):
        raise RefusedError("bad_document", f"transaction {document.txn} has already run here; plan again")
    refuse_out_of_order(host, document.txn)


def refuse_out_of_order(host: HostRoot, txn: str) -> None:
    """Refuse a name that is not after the last one here: a document that lay about must not come late.

    The order is the host's own: a controller whose clock is behind names its transaction after what it saw.
    """
    last = journals.last_name(host)
    if txn <= last:
        sentence = f"transaction {txn} is named before {last}, which has already run here; plan again"
        raise RefusedError("stale", sentence)


def with_state(host: HostRoot, document: Document, committed: dict[str, Any] | None) -> Document:
    """The document plus a last step that records the committed state, unless a trial boot decides that."""
    now = state.read(host)
    known = now["committed"]
    if document.boot is not None or (known and committed and known["plan_hash"] == committed["plan_hash"]):
        return document
    content = state.encode(now | {"committed": committed})
    why = "the committed state changes together with the rest"
    step = FileStep(path=STATE_FILE, content=content, mode=0o600, before=None, why=why)
    return replace(document, steps=(*document.steps, step))


def write(
    host: HostRoot, document: Document, actors: Sequence[Actor], befores: Sequence[Before], moment: Moment
) -> Outcome:
    """The part that writes; any failure in it is undone."""
    try:
        journal = journals.create(host, document, befores, moment.at, state.read(host)["committed"])
    except OSError as error:
        journals.sweep(host)
        return failed_before_start(document, befores, explain_os_error(error, "writing the journal"))
    try:
        prepare(journal, actors)
        notes = act(journal, actors)
        journal.record("done" if document.boot is None else "staged")
    except Exception as error:  # a bug in the agent is undone like any other failure
        return recovery.give_up(journal, actors, failure_of(error))
    recovery.tidy(journal, actors)
    result = "applied" if document.boot is None else "staged"
    message = "every step is done, durable and read back"
    if document.boot is not None:
        message = "the runtime part is done; the boot part is waiting for its trial boot"
    return outcome(document, befores, result, message, notes)


def failure_of(error: Exception) -> AgentError:
    """The code and message of whatever interrupted the writing."""
    if isinstance(error, AgentError):
        return error
    if isinstance(error, OSError):
        return explain_os_error(error, "writing")
    return StepFailedError("internal", f"internal error of the agent: {type(error).__name__}: {error}")


def prepare(journal: TransactionJournal, actors: Sequence[Actor]) -> None:
    """Write everything that needs disk space."""
    for actor, before in zip(actors, journal.befores, strict=True):
        if not before.wanted:
            try:
                actor.prepare(before)
            except OSError as error:
                raise explain_os_error(error, actor.target) from error
    journal.record("prepared")


def act(journal: TransactionJournal, actors: Sequence[Actor]) -> dict[int, str]:
    """Do every step not yet satisfied, and read it back; returns the notes by index."""
    notes, unit_files_changed = {}, False
    for index, (actor, before) in enumerate(zip(actors, journal.befores, strict=True)):
        if before.wanted:
            continue
        journal.record("step", index=index, sync=False)
        if actor.kind == "unit" and unit_files_changed:
            reload(journal.host)
            unit_files_changed = False
        notes[index] = act_one(actor)
        unit_files_changed = unit_files_changed or actor.target.startswith(UNIT_DIR + "/")
    if unit_files_changed or any(
        actor.kind == "unit" and index in notes for index, actor in enumerate(actors)
    ):
        reload(journal.host)
    return notes


def act_one(actor: Actor) -> str:
    """One step, read back."""
    try:
        note = actor.act()
        if actor.reads_back and not actor.observe().wanted:
            raise StepFailedError("step_failed", f"{actor.target} does not read back as written")
    except OSError as error:
        raise explain_os_error(error, actor.target) from error
    except RefusedError as error:
        raise StepFailedError(error.code, str(error)) from error
    return note


def outcome(
    document: Document,
    befores: Sequence[Before],
    result: str,
    message: str,
    notes: dict[int, str] | None = None,
) -> Outcome:
    """The answer when nothing had to be undone."""
    steps = [
        StepResult(
            index=index,
            kind=kind,
            target=target,
            result="unchanged" if before.wanted else "done",
            note=(notes or {}).get(index, before.note),
        )
        for index, (kind, target, before) in enumerate(zip(*labels(document), befores, strict=False))
        if target != STATE_FILE
    ]
    return Outcome(txn=document.txn, result=result, code="ok", message=message, steps=steps)


def labels(document: Document) -> tuple[list[str], list[str]]:
    """Kind and target of every step, the boot part last."""
    kinds = [KIND_BY_TYPE[type(step)] for step in document.steps]
    targets = [target_of(step) for step in document.steps]
    if document.boot is not None:
        kinds, targets = [*kinds, "boot"], [*targets, "kernel command line"]
    return kinds, targets


def failed_before_start(document: Document, befores: Sequence[Before], failure: StepFailedError) -> Outcome:
    """The answer when even the journal could not be written."""
    done = outcome(document, befores, "reverted", f"{failure}; nothing was changed")
    steps = [replace(step, result="not_run", note="") for step in done.steps]
    return replace(done, code=failure.code, steps=steps)
