"""What one run has to do on one host: decided once, from one look.

Pure but for the transaction's name and time. The same decision serves the dry run, the question to the
operator and the run itself, so what is shown is what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploys.errors import RefusedError
from deploys.tune.changes import Change, pending_changes
from deploys.tune.document import document, select_changes, transaction_name
from deploys.tune.host_state import HostState
from deploys.tune.render import Concern
from inventory.model import Host, Site, Trial
from transport.errors import NotEnrolledError
from transport.hint import command, enrol
from tuning.compliance.taken_back import words_to_leave_out
from tuning.plan.plan import Plan
from tuning.plan.planner import plan as make_plan
from tuning.plan.profile import Profile
from tuning.topology.reader import read_topology


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChanges:
    """One host's share of a run."""

    host: Host
    plan: Plan
    observed: HostState
    trial: Trial
    now: tuple[Change, ...]
    waiting: tuple[Change, ...]
    refused: tuple[Change, ...] = ()
    is_staged: bool = False

    def of(self, concern: Concern) -> tuple[Change, ...]:
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
    def pending(self) -> tuple[Change, ...]:
        """Everything that is not yet as planned and can be."""
        return (*self.now, *self.waiting)

    @property
    def overruled(self) -> tuple[Change, ...]:
        """What a foreign file would undo at the next boot, until a person moves that away."""
        return tuple(item for item in self.pending if item.way_out)

    def refuse_overruled(self) -> None:
        """Refuse a host on which a foreign file would undo the plan at the next boot; nothing is changed."""
        blocked = self.overruled
        if blocked:
            more = f", and {len(blocked) - 1} more" if len(blocked) > 1 else ""
            names_all = command("plan", "--host", self.host.name)
            raise RefusedError(
                self.host.name,
                f"{blocked[0].seen}{more}: the plan would be lost at the next boot, so nothing was changed",
                hint=f"on the host, {blocked[0].way_out}; {names_all} names them all",
            )

    def document(self, items: Sequence[Change]) -> dict[str, Any]:
        """The transaction of these items, under a new name."""
        self.refuse_overruled()
        return document(
            txn=transaction_name(datetime.now(UTC), self.observed.last_txn),
            host=self.host.name,
            machine_id=self.host.machine_id or "",
            plan=self.plan,
            items=items,
            trial=self.trial,
            is_boot_pending=any(item.mode == "boot" for item in items),
            without=words_to_leave_out(self.plan, self.observed.snapshot),
        )


def make_work(  # noqa: PLR0913  # each by name; the optional ones are what a caller may bind
    host: Host,
    observed: HostState,
    profile: Profile,
    trial: Trial,
    *,
    plan: Plan | None = None,
    expected_plan: str | None = None,
    drained: bool = False,
) -> HostChanges:
    """Decide for one host; refuses another machine and another plan than the one that was shown."""
    check_identity(host, observed)
    chosen = plan or make_plan(read_topology(observed.snapshot), profile, host.named_ports)
    if expected_plan is not None and chosen.plan_hash != expected_plan:
        raise RefusedError(
            host.name,
            f"the plan changed since it was shown ({expected_plan[:12]} then, "
            f"{chosen.plan_hash[:12]} now), so nothing was written",
            hint=f"look again: {command('plan', '--host', host.name)}",
        )
    found = pending_changes(chosen, observed, standins=carries_standins(host))
    items = tuple(item for item in found if not item.refused)
    selected = select_changes(items, drained=drained or not observed.engine_active)
    is_staged = observed.staged_plan == chosen.plan_hash
    return HostChanges(
        host=host,
        plan=chosen,
        observed=observed,
        trial=trial,
        now=() if is_staged else selected.now,  # beside an open trial the host takes no second document
        waiting=(*selected.now, *selected.waiting) if is_staged else selected.waiting,
        refused=tuple(item for item in found if item.refused),
        is_staged=is_staged,
    )


def carries_standins(host: Host) -> bool:
    """The demo's stand-ins are for the lab: elsewhere they would take CPUs that somebody trades on."""
    return host.host_class == "lab-vm"


def decide(  # noqa: PLR0913  # each by name
    site: Site,
    host: Host,
    observed: HostState,
    *,
    profile: Profile | None = None,
    plan_text: str | None = None,
    expected_plan: str | None = None,
    drained: bool = False,
) -> HostChanges:
    """`make_work` for a host of a site: its own profile unless another is given, its class's timings."""
    chosen = profile or site.profile_of(host)
    if chosen is None:
        raise RefusedError(host.name, "has no profile, so there is nothing to tune")
    return make_work(
        host,
        observed,
        chosen,
        site.trial_of(host),
        plan=Plan.from_json(plan_text) if plan_text else None,
        expected_plan=expected_plan,
        drained=drained,
    )


def check_identity(host: Host, observed: HostState) -> None:
    """Refuse a machine that is not the enrolled one, before anything is computed for it."""
    if host.machine_id is None:
        raise NotEnrolledError(host.name, "not enrolled", hint=f"run: {enrol(host.name)}")
    if observed.machine_id != host.machine_id:
        raise RefusedError(
            host.name,
            f"machine-id {observed.machine_id[:8] + '...' if observed.machine_id else '(empty)'} is not the "
            f"enrolled {host.machine_id[:8]}...",
            hint=f"enrol it again: {enrol(host.name)}",
        )
