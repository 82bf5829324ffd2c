"""The transaction document's types: steps, the boot part, the whole. Read by agent/parsing.py.

Steps marked `inverse` (built by `revert` from a kept journal) may also carry bytes, threads, interrupts and
links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuning.cpuset import CpuSet
from tuning.kernel_threads import Threads
from tuning.nic_table import Value

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStep:
    """A whole file: its content and mode, or its absence (content None).

    `secret`: the journal forgets what it was and is as soon as the transaction is closed.
    """

    path: str
    content: bytes | None
    mode: int
    before: str | None
    why: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueStep:
    """A live value under /proc or /sys, and how two spellings of it are compared."""

    path: str
    value: str
    compare: str
    before: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IrqsStep:
    """Every movable interrupt, and the default for new ones, to these CPUs; or those of one network device.

    `irqs` (inverse only): each interrupt that is named back to its old CPUs, the default left alone.
    """

    cpus: CpuSet
    why: str
    device: str | None = None
    irqs: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KthreadsStep:
    """Every movable kernel thread to these CPUs; `threads` (inverse only): each back to its old CPUs."""

    cpus: CpuSet
    why: str
    threads: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrioritiesStep:
    """Kernel threads of one kind (of `irq` those of one network device) to SCHED_FIFO at this priority.

    `was` (inverse only): each thread that is named back to its old policy and priority.
    """

    threads: Threads
    priority: int
    why: str
    device: str | None = None
    was: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicStep:
    """One parameter of a network port (a row of tuning/nic_table.py); a switch is 0 or 1.

    No words (inverse only) are flow rules where there were none. `is_capped`: at most the driver's maximum.
    """

    device: str
    knob: str
    value: Value
    why: str
    is_capped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStep:
    """A unit's enablement and whether it runs; `links` (inverse only) are its exact links, path to target."""

    unit: str
    enabled: str | None
    active: bool | None
    why: str
    links: Mapping[str, str] | None = None


Step = FileStep | ValueStep | IrqsStep | KthreadsStep | NicStep | PrioritiesStep | UnitStep
KIND_BY_TYPE: dict[type[Step], str] = {
    FileStep: "file",
    ValueStep: "value",
    IrqsStep: "irqs",
    KthreadsStep: "kthreads",
    NicStep: "nic",
    PrioritiesStep: "priorities",
    UnitStep: "unit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the health service measures during the trial boot before it commits."""

    cpus: CpuSet
    window_s: int
    timer_interrupts_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The kernel arguments to try, those to leave out, and the deadlines and criteria of the trial.

    WITHOUT are whole words of the base line that take back what the plan wants.
    """

    args: tuple[str, ...]
    kernel_release: str | None
    panic_s: int
    watchdog_s: int
    trial_s: int
    confirmations: int
    confirm_gap_s: int
    effect: Effect | None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One transaction for one host."""

    txn: str
    host: str
    machine_id: str
    plan_hash: str | None
    topology_digest: str | None
    steps: tuple[Step, ...]
    boot: Boot | None
    reverts: str | None = None


def target_of(step: Step) -> str:
    """What a step changes, for messages and outcomes."""
    match step:
        case FileStep() | ValueStep():
            return step.path
        case IrqsStep(device=device):
            return f"/proc/irq of {device}" if device else "/proc/irq"
        case KthreadsStep():
            return "kernel threads"
        case NicStep():
            return f"{step.knob} of {step.device}"
        case PrioritiesStep(device=device):
            return f"priority of {step.threads}" + (f" threads of {device}" if device else "")
        case UnitStep():
            return step.unit
