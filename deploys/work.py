"""What one run has to do on one host: decided once from one look, then filled and sent by the operations.

Pure but for the transaction's name and time. The same decision serves the dry run, the question to the
operator and the run itself, so what is shown is what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tuning.planner import plan as make_plan

from deploys.document import document, select_items, transaction_name
from deploys.errors import RefusedError
from deploys.observed import Observed
from deploys.pending import Item, pending_items
from deploys.render import Concern
from inventory.model import Host, Trial
from tuning.plan import Plan
from tuning.profile import Profile
from tuning.reader import read_topology


@dataclass(slots=True, kw_only=True)
class Work:
    """One host's share of a run."""

    host: Host
    plan: Plan
    observed: Observed
    trial: Trial
    now: tuple[Item, ...]
    waiting: tuple[Item, ...]
    root: str = "/"
    added: list[Item] = field(default_factory=list)
    outcome: Mapping[str, Any] | None = None
    failure: str | None = None

    def of(self, concern: Concern) -> tuple[Item, ...]:
        """What is pending now for one concern."""
        return tuple(item for item in self.now if item.concern == concern)

    @property
    def is_boot_pending(self) -> bool:
        """Whether this needs a trial boot."""
        return any(item.concern == "boot" for item in self.now)

    def add(self, items: tuple[Item, ...]) -> None:
        """Put items into the document; twice is once, because pyinfra may run an operation again."""
        self.added.extend(item for item in items if item not in self.added)

    def document(self) -> dict[str, Any]:
        """The transaction of everything added, under a new name."""
        return document(
            txn=transaction_name(datetime.now(UTC)),
            host=self.host.name,
            machine_id=self.host.machine_id or "",
            plan=self.plan,
            items=self.added,
            trial=self.trial,
            is_boot_pending=any(item.concern == "boot" for item in self.added),
        )


def make_work(  # noqa: PLR0913  # each by name; the optional ones are what a caller may bind
    host: Host,
    observed: Observed,
    profile: Profile,
    trial: Trial,
    *,
    plan: Plan | None = None,
    expected_plan: str | None = None,
    drained: bool = False,
    root: str = "/",
) -> Work:
    """Decide for one host; refuses another machine and another plan than the one that was shown."""
    check_identity(host, observed)
    chosen = plan or make_plan(read_topology(observed.snapshot), profile)
    if expected_plan is not None and chosen.plan_hash != expected_plan:
        raise RefusedError(
            f"{host.name}: the plan changed since it was shown ({expected_plan[:12]} then, "
            f"{chosen.plan_hash[:12]} now), so nothing was written; look again: hft plan --host {host.name}"
        )
    chosen_items = select_items(
        pending_items(chosen, observed), drained=drained or not observed.engine_active
    )
    return Work(
        host=host,
        plan=chosen,
        observed=observed,
        trial=trial,
        now=chosen_items.now,
        waiting=chosen_items.waiting,
        root=root,
    )


def check_identity(host: Host, observed: Observed) -> None:
    """Refuse a machine that is not the enrolled one, before anything is computed for it."""
    if host.machine_id is None:
        raise RefusedError(
            f"{host.name}: not enrolled; run: hft host enrol {host.name} --fingerprint SHA256:..."
        )
    if observed.machine_id != host.machine_id:
        raise RefusedError(
            f"{host.name}: machine id {observed.machine_id[:8]}... is not the enrolled "
            f"{host.machine_id[:8]}...: another or a re-imaged machine; enrol it again: "
            f"hft host enrol {host.name} --fingerprint SHA256:..."
        )
