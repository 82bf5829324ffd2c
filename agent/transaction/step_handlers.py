"""Which actor handles which step: a pure function of the document, so that recovery builds the same ones."""

from __future__ import annotations

from collections.abc import Mapping

from agent.document import (
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
from agent.host import HostRoot
from agent.transaction.step_file import FileActor
from agent.transaction.step_handler import Actor
from agent.transaction.step_irqs import IrqsActor
from agent.transaction.step_kthreads import KthreadsActor
from agent.transaction.step_nic import NicActor
from agent.transaction.step_priorities import PrioritiesActor
from agent.transaction.step_unit import UnitActor, active_states
from agent.transaction.step_value import ValueActor


def actors_of(host: HostRoot, document: Document) -> tuple[Actor, ...]:
    """One actor per step, and one for the boot part."""
    active = active_states(host, [step.unit for step in document.steps if isinstance(step, UnitStep)])
    actors = [actor_of(host, step, index, active) for index, step in enumerate(document.steps)]
    if document.boot is not None:
        from agent.transaction.step_boot import BootActor  # most transactions have no boot part

        actors.append(BootActor(host=host, txn=document.txn, boot=document.boot))
    return tuple(actors)


def actor_of(  # noqa: PLR0911  # one line for a kind of step
    host: HostRoot, step: Step, index: int, active: Mapping[str, bool]
) -> Actor:
    """The actor of one step."""
    match step:
        case FileStep():
            return FileActor(host=host, step=step, index=index)
        case ValueStep():
            return ValueActor(host=host, step=step)
        case IrqsStep():
            return IrqsActor(host=host, step=step)
        case KthreadsStep():
            return KthreadsActor(host=host, step=step)
        case NicStep():
            return NicActor(host=host, step=step)
        case PrioritiesStep():
            return PrioritiesActor(host=host, step=step)
        case UnitStep():
            return UnitActor(host=host, step=step, active_before=active[step.unit])
