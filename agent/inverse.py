"""`revert`: the state before the last committed transaction, from its kept journal.

Its inverse is a transaction like any other (journaled, undone when cut off), and its boot part a trial boot
like any other. A transaction that still waits for its trial boot is simply dropped. Interrupt numbers and
thread numbers mean something only within one boot; after a reboot those two are left to the boot, which
placed them anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent import journal as journals
from agent import recovery, state
from agent.actors import Before
from agent.casting import actors_of
from agent.document import (
    Boot,
    Document,
    FileStep,
    IrqsStep,
    KthreadsStep,
    Step,
    UnitStep,
    ValueStep,
)
from agent.errors import AgentError, RefusedError
from agent.host import STATE_FILE, Host
from agent.journal import Journal
from agent.outcome import Outcome
from agent.step_irqs import DEFAULT, affinities, affinity_path, try_move
from agent.step_value import chosen
from tuning.cpuset import CpuSet

Run = Callable[[Host, Document, dict[str, Any] | None], Outcome]


def revert(host: Host, argv: Sequence[str], run: Run) -> Outcome:
    """Drop a staged transaction, or run the inverse of the committed one."""
    for txn in journals.transactions(host):
        if journals.phase_of(host, txn) == "staged":
            return drop_staged(host, txn)
    committed = state.read(host)["committed"]
    if not committed or committed["txn"] not in journals.transactions(host):
        raise RefusedError(
            "preflight", "there is no committed transaction whose journal is kept; nothing to revert"
        )
    journal = journals.load(host, committed["txn"])
    done = run(host, inverse_of(host, journal, argv[0] if argv else new_txn()), journal.previous)
    return replace(done, message=f"{journal.document.txn} is taken back: {done.message}")


def drop_staged(host: Host, txn: str) -> Outcome:
    """Undo a transaction whose trial boot nobody has begun."""
    from agent import boot

    if boot.trial_open(host, txn):
        raise RefusedError("trial_open", f"the trial boot of {txn} has begun; it ends by itself")
    journal = journals.load(host, txn)
    why = AgentError("ok", f"{txn} was dropped before its trial boot")
    dropped = recovery.give_up(journal, actors_of(host, journal.document), why)
    return replace(dropped, result="applied") if dropped.result == "reverted" else dropped


def new_txn() -> str:
    """A transaction number nobody else has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"


def inverse_of(host: Host, journal: Journal, txn: str) -> Document:
    """The document that brings every before-image back, newest step first."""
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
    """One step for each live value: an interrupt placement and a value step of its own both know the default.

    Newest first, so the last of them is the oldest image, which is what it was before the transaction.
    """
    last = {step.path: step for step in steps if isinstance(step, ValueStep)}
    return [step for step in steps if not isinstance(step, ValueStep) or last[step.path] is step]


def inverse_steps(host: Host, step: Step, before: Before, same_boot: bool) -> Iterator[Step]:
    """What undoes one step; nothing where nothing can be known any more."""
    image, why = before.image, f"was so before: {step.why}"
    match step:
        case FileStep(path=path) if path != STATE_FILE:
            mode = image.get("mode", 0o644)
            yield FileStep(path=path, content=before.content, mode=mode, before=None, why=why)
        case ValueStep():
            old = image["value"]
            value = chosen(old) if step.compare == "choice" else old.strip()
            if host.exists(step.path):
                yield ValueStep(path=step.path, value=value, compare=step.compare, before=None, why=why)
        case IrqsStep():
            yield from inverse_irqs(host, image, why, same_boot)
        case KthreadsStep() if same_boot:
            yield KthreadsStep(cpus=step.cpus, why=why, threads=image["threads"])
        case UnitStep():
            active = None if step.active is None else image["active"]
            yield UnitStep(unit=step.unit, enabled=None, active=active, why=why, links=image["links"])
        case _:
            return


def inverse_irqs(host: Host, image: Mapping[str, Any], why: str, same_boot: bool) -> Iterator[Step]:
    """The default for new interrupts, and each interrupt that can be moved to where it was."""
    if image["default"] is not None and host.read(DEFAULT) is not None:
        yield ValueStep(path=DEFAULT, value=image["default"], compare="cpumask", before=None, why=why)
    for irq, now in affinities(host) if same_boot else ():
        old = image["irqs"].get(str(irq))
        if old is not None and CpuSet.parse_list(old) != now and try_move(host, irq, now):
            yield ValueStep(path=affinity_path(irq), value=old, compare="cpulist", before=None, why=why)


def inverse_boot(host: Host, journal: Journal, boot: Boot) -> Boot:
    """The trial of the boot before: the arguments committed then, or none of ours, and its kernel."""
    from agent.boot_preflight import current_menu

    menu = current_menu(host)
    release = menu.previous.release if menu and menu.previous else boot.kernel_release
    before = (journal.previous or {}).get("txn")
    earlier = journals.load(host, before).document.boot if before in journals.transactions(host) else None
    if earlier is None:
        return replace(boot, args=(), kernel_release=release, effect=None)
    return replace(boot, args=earlier.args, kernel_release=release, effect=earlier.effect)
