"""`hft apply` and `hft revert`: the only verbs that change hosts.

apply looks at every host at once, decides, shows every pending setting with its why and the order of the
reboots, asks, and then changes one wave after the other under the site's lock and with a line in the run
record. What was shown is bound by its plan hash: a host whose plan differs when its turn comes is refused.
Nothing to do is decided from one look, without importing what changes hosts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from deploys.ends import HostEnd
from deploys.errors import DeployError, RefusedError, UnreachableError
from deploys.looking import look
from deploys.observed import Observed
from deploys.pending import engine_units
from deploys.work import Work, check_identity, decide
from hft import records
from hft.apply_view import (
    as_planned,
    ends_document,
    exit_code_of_ends,
    reboot_order,
    show_end,
    show_pending,
)
from hft.errors import Exit, HftError
from hft.locks import SiteLock, site_lock
from hft.output import tell
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Host, Site
from inventory.nearest import nearest
from inventory.selection import select, select_one
from tuning.profile import Profile

_INVENTORY = click.option("--inventory", metavar="PATH", help="An inventory file (default: the lab).")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_DRAIN = click.option("--drain", is_flag=True, help="Stop the engine where it runs, start it again after.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for the run record and the lock.")
_TAKEOVER = click.option("--takeover", is_flag=True, help="Take the site over from an operator who hangs.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator asked for."""

    site: Site
    hosts: tuple[Host, ...]
    profile: Profile | None
    plan_texts: dict[str, str]
    drain: bool
    yes: bool
    as_json: bool
    reason: str


@click.command(
    epilog="""\b
Examples:
  hft apply --dry-run                     what is pending, exit 3 if anything is
  hft apply --limit engine-1              one host: the plan, a question, the change
  hft apply --yes --reason "new profile"  everything, canary first, no question
  hft apply --drain                       also where an engine runs: stopped, and started again
"""
)
@_INVENTORY
@click.option("--limit", metavar="HOSTS", help="Host names and patterns, by commas.")
@click.option("--profile", metavar="NAME", help="Another profile of the site for these hosts.")
@click.option("--plan-file", metavar="FILE", help="Apply this plan instead of the planner's, to one host.")
@click.option("--dry-run", is_flag=True, help="Show what is pending and change nothing.")
@_YES
@_DRAIN
@_REASON
@_TAKEOVER
@_JSON
def apply(  # noqa: PLR0913, PLR0917  # one for each option
    inventory: str | None,
    limit: str | None,
    profile: str | None,
    plan_file: str | None,
    dry_run: bool,
    yes: bool,
    drain: bool,
    reason: str,
    takeover: bool,
    as_json: bool,
) -> int:
    """Bring hosts to their plan, with a trial boot where the boot changes."""
    site = load_site(inventory)
    hosts = tuned_hosts(site, limit, profile)
    asked = Asked(
        site=site,
        hosts=hosts,
        profile=named_profile(site, profile),
        plan_texts=plan_texts(plan_file, hosts),
        drain=drain,
        yes=yes,
        as_json=as_json,
        reason=reason,
    )
    if dry_run:
        works = decided(asked)
        show_pending(works, as_json=as_json)
        return Exit.PENDING if any(work.pending for work in works) else Exit.OK
    with site_lock(site.name, reason or "hft apply", takeover=takeover) as lock:
        return apply_locked(asked, lock)


def tuned_hosts(site: Site, limit: str | None, profile: str | None) -> tuple[Host, ...]:
    """The selected hosts that have something to be tuned to; none is a mistake, never a success."""
    chosen = select(site, limit)
    hosts = tuple(host for host in chosen if host.profile is not None or profile is not None)
    if not hosts:
        names = ", ".join(host.name for host in chosen)
        raise InventoryError(f"{site.name}: none of {names} has a profile, so there is nothing to apply")
    return hosts


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
        return {hosts[0].name: Path(plan_file).read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"{plan_file}: cannot read the plan: {error}") from error


def decided(asked: Asked) -> list[Work]:
    """One look at every host, and what is to be done on each; every dark host is named."""
    seen = look(asked.hosts)
    dark = [str(answer) for answer in seen.values() if isinstance(answer, DeployError)]
    if dark:
        raise UnreachableError("; ".join(dark) + "; no host was changed")
    lit = [(host, answer) for host in asked.hosts if isinstance(answer := seen[host.name], Observed)]
    return [decide_one(asked, host, answer) for host, answer in lit]


def decide_one(asked: Asked, host: Host, observed: Observed) -> Work:
    """What is to be done on one host."""
    return decide(
        asked.site,
        host,
        observed,
        profile=asked.profile,
        plan_text=asked.plan_texts.get(host.name),
        drained=asked.drain,
    )


def apply_locked(asked: Asked, lock: SiteLock) -> int:
    """Everything from the look to the last host's end, with the site held."""
    works = close_open_trials(asked, decided(asked))
    changing = [work for work in works if work.now or work.is_staged]
    if changing:
        refuse_active(changing, asked)
        if not asked.as_json:
            show_pending(works, as_json=False)
        ask(asked, changing)
    hashes = {work.host.name: work.plan.plan_hash for work in works}
    site, names = asked.site.name, list(hashes)
    with records.recorded(site, "apply", hosts=names, reason=asked.reason, plan_hashes=hashes) as run:
        ends: list[HostEnd] = []
        for end in each_end(asked, lock, works, changing):
            run.host(end.host, result=end.result, plan_hash=hashes[end.host], txn=end.txn)
            ends.append(end)
            show_end(end, as_json=asked.as_json)
        run.exit_code = exit_code_of_ends(ends)
    if asked.as_json:
        tell(json.dumps(ends_document(ends), indent=1))
    return run.exit_code


def each_end(
    asked: Asked, lock: SiteLock, works: Sequence[Work], changing: Sequence[Work]
) -> Iterator[HostEnd]:
    """The hosts that need nothing at once, then the others as they end."""
    yield from (unchanged(work) for work in works if work not in changing)
    yield from act(asked, lock, changing)


def unchanged(work: Work) -> HostEnd:
    """The end of a host that needs nothing, or nothing that may be done now."""
    if not work.waiting:
        sentence = as_planned(work).partition(": ")[2]
        return HostEnd(host=work.host.name, result="no_change", sentence=sentence)
    sentence = f"{len(work.waiting)} settings wait: {work.waits_for}"
    return HostEnd(host=work.host.name, result="no_change", sentence=sentence)


def refuse_active(works: Sequence[Work], asked: Asked) -> None:
    """No reboot under a running engine unless the operator said so."""
    active = [work.host.name for work in works if work.is_boot_pending and work.observed.engine_active]
    if active and not asked.drain:
        raise RefusedError(
            f"{', '.join(active)}: the engine slice is active and the change needs a reboot, so no host was "
            f"changed; run with --drain to stop the engine first and start it again after"
        )


def ask(asked: Asked, works: Sequence[Work]) -> None:
    """The one question, unless it was answered beforehand."""
    if not asked.yes:
        reboots = len(reboot_order(works))
        confirm(f"Change {len(works)} host(s), {reboots} reboot(s)?", as_json=asked.as_json)


def confirm(question: str, *, as_json: bool) -> None:
    """Ask at a terminal; without one nobody can have said yes."""
    if not sys.stdin.isatty():
        raise HftError(Exit.BAD_INPUT, "standard input is no terminal to ask on; add --yes when it is meant")
    click.confirm(question, abort=True, err=as_json)


def close_open_trials(asked: Asked, works: list[Work]) -> list[Work]:
    """What a dead controller left: finish or drop every open trial, then look again."""
    left = [work for work in works if work.observed.open_trial is not None and not work.is_staged]
    if not left:
        return works
    from deploys.leftovers import close_trial

    for work in left:
        tell(f"{work.host.name}: {close_trial(work.host, work)}", err=True)
    return decided(asked)


def act(asked: Asked, lock: SiteLock, works: Sequence[Work]) -> Iterator[HostEnd]:
    """Change the hosts, wave by wave, and say how to go on when interrupted."""
    if not works:
        return

    from deploys.waves import Order, run_waves

    def before_wave(hosts: Sequence[Host]) -> None:
        lock.check()
        names = ", ".join(host.name for host in hosts)
        tell(f"wave: {names} ({hosts[0].failure_domain})", err=True)

    order = Order(
        site=asked.site,
        before_wave=before_wave,
        drain=asked.drain,
        plan_texts=asked.plan_texts,
        profile=asked.profile,
    )
    try:
        yield from run_waves(works, order)
    except KeyboardInterrupt:
        names = " ".join(work.host.name for work in works)
        tell(
            "interrupted: each host finishes or takes back its own part without us; look with "
            f"`hft status {names}`, then run the same `hft apply` again, it goes on where this stopped",
            err=True,
        )
        raise


@click.command(
    epilog="""\b
Examples:
  hft revert engine-1                       undo its last applied change, after a question
  hft revert engine-1 --yes --reason "p99 worse than before"
"""
)
@click.argument("host")
@_INVENTORY
@_YES
@_DRAIN
@_REASON
@_TAKEOVER
@_JSON
def revert(  # noqa: PLR0913, PLR0917  # one for each option
    host: str, inventory: str | None, yes: bool, drain: bool, reason: str, takeover: bool, as_json: bool
) -> int:
    """Undo the last applied change of a host; where it changed the boot, by a trial boot of its own."""
    site = load_site(inventory)
    chosen = select_one(site, host)
    with site_lock(site.name, reason or f"hft revert {host}", takeover=takeover) as lock:
        seen = look([chosen])[host]
        if isinstance(seen, DeployError):
            raise seen
        check_identity(chosen, seen)
        if seen.engine_active and not drain:
            raise RefusedError(
                f"{host}: the engine slice is active; run with --drain to stop the engine first"
            )
        if engines := engine_units(seen):
            raise RefusedError(
                f"{host}: {', '.join(engines)} stands on the plan that would be taken back; remove it first: "
                f"hft engine remove --limit {host}"
            )
        if not yes:
            committed = (seen.state.get("committed") or {}).get("txn", "nothing")
            confirm(f"Take back {committed} on {host}?", as_json=as_json)
        lock.check()
        from deploys.reverting import revert_host

        with records.recorded(site.name, "revert", hosts=[host], reason=reason) as run:
            end = revert_host(chosen, site.trial_of(chosen), running=seen.engine_units)
            run.host(host, result=end.result, txn=end.txn)
            run.exit_code = exit_code_of_ends([end])
        show_end(end, as_json=as_json)
        if as_json:
            tell(json.dumps(ends_document([end]), indent=1))
        return run.exit_code
