"""What one run has to do on one host: decided once from one look, then filled and sent by the operations.

Pure but for the transaction's name and time. The same decision serves the dry run, the question to the
operator and the run itself, so what is shown is what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploys.document import document, select_items, transaction_name
from deploys.errors import RefusedError
from deploys.observed import Observed
from deploys.pending import Item, pending_items
from deploys.render import Concern
from inventory.model import Host, Site, Trial
from tuning.plan import Plan
from tuning.planner import plan as make_plan
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
    added: list[Item] = field(default_factory=list)
    outcome: Mapping[str, Any] | None = None
    error: Exception | None = None
    is_staged: bool = False

    def of(self, concern: Concern) -> tuple[Item, ...]:
        """What is pending now for one concern."""
        return tuple(item for item in self.now if item.concern == concern)

    def standing(self, concern: Concern) -> str:
        """How a concern stands for which nothing is to be done now."""
        waiting = [item for item in self.waiting if item.concern == concern]
        return f"{len(waiting)} settings wait: {self.waits_for}" if waiting else "as planned"

    @property
    def waits_for(self) -> str:
        """Why an item is not applied now."""
        if self.is_staged:
            return "a boot change is staged and waits for its reboot"
        return "needs a drained host, --drain"

    @property
    def is_boot_pending(self) -> bool:
        """Whether this needs a trial boot, staged already or not."""
        return any(item.mode == "boot" for item in self.pending)

    @property
    def txn(self) -> str | None:
        """The transaction this work became, once the host answered."""
        return str(self.outcome["txn"]) if self.outcome is not None else None

    @property
    def pending(self) -> tuple[Item, ...]:
        """Everything that is not yet as planned."""
        return (*self.now, *self.waiting)

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
            is_boot_pending=any(item.mode == "boot" for item in self.added),
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
) -> Work:
    """Decide for one host; refuses another machine and another plan than the one that was shown."""
    check_identity(host, observed)
    chosen = plan or make_plan(read_topology(observed.snapshot), profile)
    if expected_plan is not None and chosen.plan_hash != expected_plan:
        raise RefusedError(
            f"{host.name}: the plan changed since it was shown ({expected_plan[:12]} then, "
            f"{chosen.plan_hash[:12]} now), so nothing was written; look again: hft plan --host {host.name}"
        )
    items = pending_items(chosen, observed, standins=carries_standins(host))
    selected = select_items(items, drained=drained or not observed.engine_active)
    is_staged = observed.staged_plan == chosen.plan_hash
    return Work(
        host=host,
        plan=chosen,
        observed=observed,
        trial=trial,
        now=() if is_staged else selected.now,  # beside an open trial the host takes no second document
        waiting=(*selected.now, *selected.waiting) if is_staged else selected.waiting,
        is_staged=is_staged,
    )


def carries_standins(host: Host) -> bool:
    """The demo's stand-ins are for the lab: elsewhere they would take CPUs that somebody trades on."""
    return host.host_class == "lab-vm"


def decide(  # noqa: PLR0913  # each by name
    site: Site,
    host: Host,
    observed: Observed,
    *,
    profile: Profile | None = None,
    plan_text: str | None = None,
    expected_plan: str | None = None,
    drained: bool = False,
) -> Work:
    """`make_work` for a host of a site: its own profile unless another is given, its class's timings."""
    chosen = profile or site.profile_of(host)
    if chosen is None:
        raise RefusedError(f"{host.name}: has no profile, so there is nothing to tune")
    return make_work(
        host,
        observed,
        chosen,
        site.trial_of(host),
        plan=Plan.from_json(plan_text) if plan_text else None,
        expected_plan=expected_plan,
        drained=drained,
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
