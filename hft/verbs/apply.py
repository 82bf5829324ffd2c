"""`hft apply`: bring hosts to their plan.

It looks at every host at once, decides, shows every pending setting with its why and the order of the
reboots, asks, and then changes one wave after the other under the site's lock and with a line in the run
record. What was shown is what is sent. Nothing to do is decided from one look, without importing what
changes hosts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from deploys.errors import RefusedError
from deploys.rollout.outcome import HostOutcome, outcome_of
from deploys.tune.host_changes import HostChanges, decide
from deploys.tune.host_state import HostState
from deploys.tune.observe import look
from hft import options
from hft.changing import Change, Telling, ask, carry_out, roll_out, rolled_out
from hft.errors import Exit, HftError, HostsError, exit_code_of
from hft.locks import SiteLock, site_lock
from hft.plan_store import keep
from hft.saved_plans import SavedPlan
from hft.saved_plans import read as read_saved
from hft.sites import load
from hft.views.apply import as_planned, reboot_order, show_pending
from inventory.bounded import FILE_MAX, read_bounded, reason_of
from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.selection import select
from inventory.suggest import nearest
from transport.errors import HostError, UnreachableError, sentence
from transport.hint import command
from transport.show import tell
from tuning.plan.planner import plan as make_plan
from tuning.plan.profile import Profile
from tuning.plan.refusal import Code
from tuning.topology.reader import read_topology

WITHOUT_MOST = 5  # hosts that a hint leaves out by name


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """What the operator asked for."""

    site: Site
    hosts: tuple[Host, ...]
    profile: Profile | None = None
    plan_texts: Mapping[str, str] = field(default_factory=dict)
    saved: Mapping[str, SavedPlan] | None = None  # what `hft plan -o` saved: just that, host by host
    drain: bool = False
    yes: bool = False
    as_json: bool = False
    reason: str = ""
    require_all: bool = False
    retries: int = 0


@click.command(
    epilog="""\b
Examples:
  hft apply --dry-run                     what is pending, exit 3 if anything is
  hft apply --limit engine-1              one host: the plan, a question, the change
  hft apply --yes --reason "new profile"  everything, canary first, no question
  hft apply --drain                       also where an engine runs: stopped, and started again
  hft apply today.plans                   what `hft plan -o today.plans` saved, and nothing else
  hft apply --limit 'role:engine,!engine-7'   some; who does not answer is left out, exit code 7
  hft apply --local                       this machine, without SSH; a trial boot is confirmed by logins
"""
)
@click.argument("saved", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@options.INVENTORY
@options.LIMIT
@click.option("--profile", metavar="NAME", help="Another profile of the site for these hosts.")
@click.option("--plan-file", metavar="FILE", help="Apply this plan instead of the planner's, to one host.")
@options.DRY_RUN
@options.REQUIRE_ALL
@options.RETRIES
@options.PARALLEL
@options.YES
@options.DRAIN
@options.REASON
@options.TAKEOVER
@options.JSON
def apply(  # noqa: PLR0913, PLR0917  # one for each option
    saved: Path | None,
    inventory: str | None,
    limit: str | None,
    profile: str | None,
    plan_file: str | None,
    dry_run: bool,
    require_all: bool,
    retries: int,
    yes: bool,
    drain: bool,
    reason: str,
    takeover: bool,
    as_json: bool,
) -> int:
    """Bring hosts to their plan, with a trial boot where the boot changes.

    FILE is what `hft plan -o FILE` saved: just that is applied, and a host that changed since is refused.
    """
    site = load(inventory)
    plans = None if saved is None else saved_plans(saved, site, profile, plan_file)
    hosts = tuned_hosts(site, limit, profile)
    if plans is not None:
        hosts = hosts_of(plans, hosts, str(saved))
    request = ApplyRequest(
        site=site,
        hosts=hosts,
        profile=named_profile(site, profile),
        plan_texts=plan_texts(plan_file, hosts),
        saved=plans,
        drain=drain,
        yes=yes,
        as_json=as_json,
        reason=reason,
        require_all=require_all,
        retries=retries,
    )
    if dry_run:
        return dry_run_of(request)
    with site_lock(site.name, reason or "hft apply", takeover=takeover) as lock:
        return apply_locked(request, lock)


def dry_run_of(request: ApplyRequest) -> int:
    """Show what is pending and who stands in the way; the worst of it is the exit code."""
    decision = foreseen(look_and_decide(request))
    show_pending(decision.changes, decision.dark, decision.wrong, as_json=request.as_json)
    return exit_code_of_look(decision)


def foreseen(decision: Decision) -> Decision:
    """The same, with what the hosts themselves would refuse of it in the way: each is asked, none changed."""
    from deploys.tune.send import refusals

    return replace(decision, wrong=(*decision.wrong, *refusals(decision.changes)))


def exit_code_of_look(decision: Decision) -> Exit:
    """The worst of a look at many hosts: one in the way, one that is dark, something pending."""
    codes = [exit_code_of(error) or Exit.INTERNAL for _, error in decision.wrong]
    if codes or decision.dark:
        return next((code for code in codes if code is not Exit.UNREACHABLE), Exit.UNREACHABLE)
    return Exit.PENDING if any(changes.pending for changes in decision.changes) else Exit.OK


def tuned_hosts(site: Site, limit: str | None, profile: str | None) -> tuple[Host, ...]:
    """The selected hosts that have something to be tuned to; none is a mistake, never a success."""
    chosen = select(site, limit)
    hosts = tuple(host for host in chosen if host.profile is not None or profile is not None)
    if not hosts:
        names = ", ".join(host.name for host in chosen)
        raise InventoryError(f"{site.name}: none of {names} has a profile, so there is nothing to apply")
    return hosts


def saved_plans(
    path: Path, site: Site, profile: str | None, plan_file: str | None
) -> Mapping[str, SavedPlan]:
    """What a file of saved plans holds; it is not mixed with another plan."""
    if profile is not None or plan_file is not None:
        raise InventoryError(f"{path} holds the plans; leave out --profile and --plan-file")
    return read_saved(path, site.name)


def hosts_of(plans: Mapping[str, SavedPlan], hosts: Sequence[Host], path: str) -> tuple[Host, ...]:
    """The selected hosts of which the file holds a plan; none is a mistake."""
    found = tuple(host for host in hosts if host.name in plans)
    if not found:
        raise InventoryError(f"{path}: holds no plan of a host that is selected{nearest('', plans)}")
    return found


def named_profile(site: Site, name: str | None) -> Profile | None:
    """The profile of that name, or the refusal that names the nearest."""
    if name is None:
        return None
    known = site.known_profiles
    if name not in known:
        raise InventoryError(f"{site.name}: no profile is called {name!r}{nearest(name, list(known))}")
    return known[name]


def plan_texts(plan_file: str | None, hosts: Sequence[Host]) -> dict[str, str]:
    """The plan an operator wrote, for the one host it is meant for."""
    if plan_file is None:
        return {}
    if len(hosts) != 1:
        raise InventoryError(f"--plan-file is for one host, and {len(hosts)} are selected; add --limit HOST")
    try:
        return {hosts[0].name: read_bounded(Path(plan_file), FILE_MAX).decode("utf-8")}
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the path
        raise InventoryError(f"{plan_file}: cannot read the plan: {reason_of(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done on each host that answered, who did not, and who is in the way."""

    changes: tuple[HostChanges, ...]
    dark: tuple[UnreachableError, ...] = ()
    wrong: tuple[tuple[str, Exception], ...] = ()


def look_and_decide(request: ApplyRequest) -> Decision:
    """One look at every host, and what is to be done on each."""
    seen = look(request.hosts, retries=request.retries)
    changes: list[HostChanges] = []
    dark: list[UnreachableError] = []
    wrong: list[tuple[str, Exception]] = []
    for host in request.hosts:
        answer = seen[host.name]
        if isinstance(answer, UnreachableError) and not request.require_all:
            dark.append(answer)
        elif isinstance(answer, HostError):
            wrong.append((host.name, answer))
        else:
            try:
                changes.append(decide_one(request, host, answer))
            except Exception as error:
                if exit_code_of(error) is None:
                    raise  # no fault of a host: ours
                wrong.append((host.name, error))
    if not changes:
        every = [*((one.host, one) for one in dark), *wrong]
        raise HostsError(every, hint="no host was changed")
    return Decision(changes=tuple(changes), dark=tuple(dark), wrong=tuple(wrong))


def decided(request: ApplyRequest) -> Decision:
    """The same for a change: who answers and is not as it must be stops it, and each of them is named."""
    decision = look_and_decide(request)
    if decision.wrong and request.saved is None:
        without = command("apply", "--limit", ",".join(f"!{name}" for name, _ in decision.wrong))
        hint = f"without them: {without}" if len(decision.wrong) <= WITHOUT_MOST else ""
        raise HostsError(decision.wrong, hint=sentence("", "no host was changed", hint))
    return decision


def tell_of_restart(changes: HostChanges) -> None:
    """Who changes the boot of the machine that he sits at has to come back over SSH, or it is undone."""
    if changes.host.is_here and changes.is_boot_pending:
        minutes, count = changes.trial.trial_s // 60, changes.trial.confirmations
        tell(
            f"{changes.host.name} is this machine: it restarts under this command. Then log in over SSH and "
            f"run `{command('apply', '--yes')}`, {count} time(s), each in a login of its own, "
            f"{changes.trial.confirm_gap_s} s apart; without that it is on its old entry {minutes} min later",
            err=True,
        )


def ask_about_ports(changes: HostChanges, *, as_json: bool) -> None:
    """On bare metal a guess of the trading port is the operator's to confirm: `--yes` does not answer it."""
    host = changes.host
    guesses = [one.reason for one in changes.plan.refused if one.code is Code.PORTS_GUESSED]
    if host.host_class != "bare-metal" or not guesses:
        return
    if not sys.stdin.isatty():
        raise RefusedError(host.name, guesses[0])
    tell(f"{host.name}: {guesses[0]}", err=as_json)
    ask(f"Is that the port {host.name} trades on?", yes=False, as_json=as_json)


def decide_one(
    request: ApplyRequest, host: Host, observed: HostState, *, expected: str | None = None
) -> HostChanges:
    """What is to be done on one host; refuses another plan than the EXPECTED one."""
    saved = request.saved[host.name] if request.saved is not None else None
    text = saved.plan.to_json() if saved is not None else request.plan_texts.get(host.name)
    changes = decide(
        request.site,
        host,
        observed,
        profile=request.profile,
        plan_text=text,
        expected_plan=expected,
        drained=request.drain,
    )
    if saved is not None:
        saved.refuse_other(changes, topology_digest_now(request.site, changes))
    return changes


def topology_digest_now(site: Site, changes: HostChanges) -> str:
    """The digest of the topology that a host has now, as the planner takes it for this profile."""
    profile = site.known_profiles.get(changes.plan.profile)
    if profile is None:
        raise RefusedError(changes.host.name, f"its plan is of profile {changes.plan.profile}, which is gone")
    fresh = make_plan(read_topology(changes.observed.snapshot), profile, changes.host.named_ports)
    return fresh.topology_digest


def apply_locked(request: ApplyRequest, lock: SiteLock) -> int:
    """Everything from the look to the last host's outcome, with the site held."""
    decision = close_open_trials(request, decided(request), lock)
    every, dark, wrong = decision.changes, decision.dark, decision.wrong
    changing = [changes for changes in every if changes.now or changes.is_staged]
    if changing:
        refuse_active(changing, request)
        for one in changing:
            one.refuse_overruled()
        if not request.as_json:
            show_pending(every, dark, wrong, as_json=False)
        for changes in changing:
            tell_of_restart(changes)
            ask_about_ports(changes, as_json=request.as_json)
        question = f"Change {len(changing)} host(s), {len(reboot_order(changing))} reboot(s)?"
        ask(question, yes=request.yes, as_json=request.as_json)
    hashes = {changes.host.name: changes.plan.plan_hash for changes in every}
    keep(changes.plan for changes in every)
    change = Change(
        site=request.site.name,
        verb="apply",
        hosts=[*hashes, *(one.host for one in dark), *(name for name, _ in wrong)],
        reason=request.reason,
        as_json=request.as_json,
        recorded={"plan_hashes": hashes},
        facts_of=lambda outcome: {"plan_hash": hashes[outcome.host]} if outcome.host in hashes else {},
    )

    def run(told: Telling) -> None:
        told([outcome_of(one.host, one) for one in dark])
        told([outcome_of(name, error) for name, error in wrong])
        told([unchanged(changes) for changes in every if changes not in changing])
        rolled_out(changing, lambda: steps_of(request), lock, told, guard)

    return carry_out(change, run)


def steps_of(request: ApplyRequest) -> Sequence[object]:
    """The steps of an apply; what was drained is decided again, and must come to the same plan."""
    from deploys.rollout.apply import apply_steps

    def decide_again(changes: HostChanges, observed: HostState) -> HostChanges:
        return decide_one(request, changes.host, observed, expected=changes.plan.plan_hash)

    return apply_steps(decide_again, drain=request.drain)


def guard() -> Callable[[], AbstractContextManager[None]]:
    """What brings an interrupt to whoever waits, in a process that pyinfra has patched."""
    from deploys.rollout.apply import GUARD

    return GUARD


def unchanged(changes: HostChanges) -> HostOutcome:
    """The outcome of a host that needs nothing, or nothing that may be done now."""
    waits = f"{len(changes.waiting)} settings wait: {changes.waits_for}"
    return HostOutcome(
        host=changes.host.name, result="no_change", seen=waits if changes.waiting else as_planned(changes)
    )


def refuse_active(changing: Sequence[HostChanges], request: ApplyRequest) -> None:
    """No reboot under a running engine unless the operator said so."""
    active = [one.host.name for one in changing if one.is_boot_pending and one.observed.engine_active]
    if active and not request.drain:
        raise RefusedError(
            ", ".join(active),
            "the engine slice is active and the change needs a reboot, so no host was changed",
            hint="run with --drain to stop the engine first and start it again after",
        )


def close_open_trials(request: ApplyRequest, decision: Decision, lock: SiteLock) -> Decision:
    """What a dead controller left: finish or drop every open trial, asked and on record, then look again."""
    left = [one for one in decision.changes if one.observed.open_trial is not None and not one.is_staged]
    if not left:
        return decision
    names = [one.host.name for one in left]
    question = f"An earlier run left a trial boot open on {', '.join(names)}. Finish or drop it first?"
    ask(question, yes=request.yes, as_json=request.as_json)

    from deploys.rollout.undo import close_steps

    change = Change(
        site=request.site.name, verb="recover", hosts=names, reason=request.reason, as_json=request.as_json
    )
    ended: list[HostOutcome] = []
    code = roll_out(change, lambda told: rolled_out(left, close_steps, lock, told), ended)
    if code is not Exit.OK:
        bad = [f"{one.host}: {one.sentence}" for one in ended if not one.is_good]
        raise HftError(code, "; ".join(bad))
    return decided(request)
