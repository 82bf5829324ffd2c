"""`revert`: the state before the last committed transaction, from its journal.

The inverse is a transaction like any other (journaled, undone when interrupted), and its boot part a trial
boot like any other. A transaction that is still waiting for its trial boot is simply dropped. Interrupt
numbers and thread ids are valid only within one boot; after a reboot both are left alone, since the boot
placed them afresh.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent import state
from agent.document import (
    Boot,
    Document,
    FileStep,
    IrqsStep,
    KthreadsStep,
    NicStep,
    PrioritiesStep,
    Step,
    UnitStep,
    ValueStep,
)
from agent.errors import AgentError, RefusedError
from agent.host import HostRoot
from agent.paths import STATE_FILE
from agent.record import name_after
from agent.transaction import journal as journals
from agent.transaction import recovery
from agent.transaction.journal import TransactionJournal
from agent.transaction.outcome import Outcome
from agent.transaction.step_handler import Before
from agent.transaction.step_handlers import actors_of
from agent.transaction.step_irqs import DEFAULT
from agent.transaction.step_nic import kept
from agent.transaction.step_value import chosen

Run = Callable[[HostRoot, Document, dict[str, Any] | None], Outcome]


def revert(host: HostRoot, argv: Sequence[str], run: Run) -> Outcome:
    """Drop a staged transaction, or run the inverse of the committed one."""
    for txn in journals.transactions(host):
        if journals.phase_of(host, txn) == "staged":
            return drop_staged(host, txn)
    committed = state.read(host)["committed"]
    if not committed or committed["txn"] not in journals.transactions(host):
        raise RefusedError(
            "preflight", "nothing to revert: this host has no committed transaction with a journal"
        )
    journal = journals.load(host, committed["txn"])
    done = run(host, inverse_of(host, journal, argv[0] if argv else new_txn(host)), journal.previous)
    return replace(done, message=f"{journal.document.txn} was reverted: {done.message}")


def drop_staged(host: HostRoot, txn: str) -> Outcome:
    """Undo a transaction whose trial boot has not begun."""
    from agent.boot import boot

    if boot.trial_open(host, txn):
        raise RefusedError("trial_open", f"the trial boot of {txn} has begun; it ends by itself")
    journal = journals.load(host, txn)
    why = AgentError("ok", f"{txn} was dropped before its trial boot")
    dropped = recovery.give_up(journal, actors_of(host, journal.document), why)
    return replace(dropped, result="applied") if dropped.result == "reverted" else dropped


def new_txn(host: HostRoot) -> str:
    """A name after every other on this host, whatever its clock says now and said then."""
    return name_after(journals.last_name(host), datetime.now(UTC), os.urandom(4).hex())


def inverse_of(host: HostRoot, journal: TransactionJournal, txn: str) -> Document:
    """The document that restores every before-image, newest step first."""
    pairs = list(zip(journal.document.steps, journal.befores, strict=False))
    same_boot = journal.boot_id == host.boot_id()
    steps = [
        inverse
        for step, before in reversed(pairs)
        if not before.wanted
        for inverse in inverse_steps(host, step, before, same_boot)
    ]
    steps = oldest_of_each(steps)
    boot = journal.document.boot
    return Document(
        txn=txn,
        host=journal.document.host,
        machine_id=host.machine_id(),
        plan_hash=None,
        topology_digest=None,
        steps=tuple(steps),
        boot=None if boot is None else inverse_boot(host, journal, boot),
        reverts=journal.document.txn,
    )


def oldest_of_each(steps: Sequence[Step]) -> list[Step]:
    """One step per live value: an interrupt placement and a separate value step may both restore the default.

    They come newest first, so the last one holds the oldest image, the value before the transaction.
    """
    last = {step.path: step for step in steps if isinstance(step, ValueStep)}
    return [step for step in steps if not isinstance(step, ValueStep) or last[step.path] is step]


def inverse_steps(host: HostRoot, step: Step, before: Before, same_boot: bool) -> Iterator[Step]:
    """What undoes one step; nothing where its before-image has lost its meaning."""
    image, why = before.image, f"restores the value before: {step.why}"
    match step:
        case FileStep(secret=True) if image["present"]:
            return  # its old content was forgotten with the commit; the file stays as it is
        case FileStep(path=path) if path != STATE_FILE:
            mode = image.get("mode", 0o644)
            yield FileStep(path=path, content=before.content, mode=mode, before=None, why=why)
        case ValueStep():
            old = image["value"]
            value = chosen(old) if step.compare == "choice" else old.strip()
            if host.exists(step.path):
                yield ValueStep(path=step.path, value=value, compare=step.compare, before=None, why=why)
        case IrqsStep():
            yield from inverse_irqs(host, step, image, why, same_boot)
        case KthreadsStep() if same_boot:
            yield KthreadsStep(cpus=step.cpus, why=why, threads=image["threads"])
        case NicStep() if "value" in image:
            yield replace(step, why=why, value=kept(image["value"]))
        case PrioritiesStep() if same_boot:
            yield replace(step, why=why, was=image["was"])
        case UnitStep():
            active = None if step.active is None else image["active"]
            yield UnitStep(unit=step.unit, enabled=None, active=active, why=why, links=image["links"])
        case _:
            return


def inverse_irqs(
    host: HostRoot, step: IrqsStep, image: Mapping[str, Any], why: str, same_boot: bool
) -> Iterator[Step]:
    """The default for new interrupts, and each interrupt back to its old CPUs; one that stays is named."""
    if image["default"] is not None and host.read(DEFAULT) is not None:
        yield ValueStep(path=DEFAULT, value=image["default"], compare="cpumask", before=None, why=why)
    if same_boot:
        yield IrqsStep(cpus=step.cpus, why=why, device=step.device, irqs=image["irqs"])


def inverse_boot(host: HostRoot, journal: TransactionJournal, boot: Boot) -> Boot:
    """The trial that restores the boot before: its committed arguments, or none of ours, and its kernel."""
    from agent.boot.preflight import current_menu

    menu = current_menu(host)
    release = menu.previous.release if menu and menu.previous else boot.kernel_release
    before = (journal.previous or {}).get("txn")
    earlier = journals.load(host, before).document.boot if before in journals.transactions(host) else None
    if earlier is None:
        return replace(boot, args=(), without=(), kernel_release=release, effect=None)
    return replace(
        boot, args=earlier.args, without=earlier.without, kernel_release=release, effect=earlier.effect
    )
