"""The transaction document's types: steps, the boot part, the whole. Read by agent/parsing.py.

Steps marked `inverse` (built by `revert` from a kept journal) may also carry bytes, threads and links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuning.cpuset import CpuSet

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStep:
    """A whole file: its content and mode, or its absence (content None)."""

    path: str
    content: bytes | None
    mode: int
    before: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueStep:
    """A live value of /proc or /sys and how two spellings of it are compared."""

    path: str
    value: str
    compare: str
    before: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IrqsStep:
    """Every movable interrupt, and the default for new ones, onto these CPUs."""

    cpus: CpuSet
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KthreadsStep:
    """Every kernel thread that may move onto these CPUs; `threads` (inverse only): each back where it was."""

    cpus: CpuSet
    why: str
    threads: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStep:
    """A unit's enablement and whether it runs; `links` (inverse only) are its exact links, path to target."""

    unit: str
    enabled: str | None
    active: bool | None
    why: str
    links: Mapping[str, str] | None = None


Step = FileStep | ValueStep | IrqsStep | KthreadsStep | UnitStep
KIND_BY_TYPE: dict[type[Step], str] = {
    FileStep: "file",
    ValueStep: "value",
    IrqsStep: "irqs",
    KthreadsStep: "kthreads",
    UnitStep: "unit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the health service measures on the trial boot before it commits."""

    cpus: CpuSet
    window_s: int
    timer_interrupts_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The kernel arguments to try, and how long and against what the trial is judged."""

    args: tuple[str, ...]
    kernel_release: str | None
    panic_s: int
    watchdog_s: int
    trial_s: int
    confirmations: int
    confirm_gap_s: int
    effect: Effect | None


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
        case IrqsStep():
            return "/proc/irq"
        case KthreadsStep():
            return "kernel threads"
        case UnitStep():
            return step.unit
