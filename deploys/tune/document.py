"""Items -> transaction document: the one thing that travels to a host. Pure; time and name come in.

The steps keep a fixed order that the host can rely on: files, then live values, then placements, then units,
because a unit is started from its file and an interrupt placement is undone by a restarted irqbalance. Items
that need the host drained are left out when it is not, and named, so that the operator reads what still
waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from agent.record import name_after
from deploys.tune.changes import Change
from tuning.plan.plan import Plan

SCHEMA = 1
DEFAULT_IRQ_AFFINITY = "/proc/irq/default_smp_affinity"
STEP_ORDER = ("file", "value", "nic", "unit", "irqs", "kthreads", "priorities")


class TrialTimes(Protocol):
    """The timings of a trial boot, as the inventory has them."""

    @property
    def trial_s(self) -> int: ...
    @property
    def watchdog_s(self) -> int: ...
    @property
    def panic_s(self) -> int: ...
    @property
    def confirmations(self) -> int: ...
    @property
    def confirm_gap_s(self) -> int: ...
    @property
    def effect_window_s(self) -> int: ...
    @property
    def timer_interrupts_max(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the pending items go into the document now, and which wait for a drained host."""

    now: tuple[Change, ...]
    waiting: tuple[Change, ...]


def select_changes(items: Iterable[Change], *, drained: bool) -> Selection:
    """Disruptive changes only while nothing trades on the host."""
    everything = tuple(items)
    waiting = () if drained else tuple(item for item in everything if item.mode == "disruptive")
    return Selection(now=tuple(item for item in everything if item not in waiting), waiting=waiting)


def transaction_name(now: datetime, last: str) -> str:
    """A name that two controllers never share, after the host's own LAST: `20261121T101500-3f2a9c1b`."""
    return name_after(last, now, secrets.token_hex(4))


def document(  # noqa: PLR0913  # the whole of what a transaction says, each by name
    *,
    txn: str,
    host: str,
    machine_id: str,
    plan: Plan,
    items: Sequence[Change],
    trial: TrialTimes,
    is_boot_pending: bool,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """The document of one transaction; `boot` is null when the command line is already as planned."""
    return {
        "schema": SCHEMA,
        "txn": txn,
        "host": host,
        "machine_id": machine_id,
        "plan_hash": plan.plan_hash,
        "topology_digest": plan.topology_digest,
        "steps": ordered_steps(items),
        "boot": boot_part(plan, trial, without) if is_boot_pending else None,
    }


def ordered_steps(items: Iterable[Change]) -> list[dict[str, Any]]:
    """Every step once, by kind, then in the items' order; an `irqs` step covers the default for new ones."""
    steps = [step for item in items for step in item.steps]
    if any(step["kind"] == "irqs" and "device" not in step for step in steps):
        steps = [step for step in steps if step.get("path") != DEFAULT_IRQ_AFFINITY]
    return sorted(steps, key=lambda step: STEP_ORDER.index(step["kind"]))


def boot_part(plan: Plan, trial: TrialTimes, without: Sequence[str]) -> dict[str, Any]:
    """What the trial boot tries, what it leaves out, and how long and against what the host judges it."""
    return {
        "args": list(plan.kernel_args()),
        "without": list(without),
        "kernel_release": plan.kernel_release,
        "panic_s": trial.panic_s,
        "watchdog_s": trial.watchdog_s,
        "trial_s": trial.trial_s,
        "confirmations": trial.confirmations,
        "confirm_gap_s": trial.confirm_gap_s,
        "effect": {
            "cpus": plan.isolated.list_text(),
            "window_s": trial.effect_window_s,
            "timer_interrupts_max": trial.timer_interrupts_max,
        },
    }
