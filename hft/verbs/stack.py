"""`hft stack`: hosts and what they need, created, refreshed and destroyed by Pulumi's engine.

A run is bound to the plan that was shown. What the engine leaves open when it is cut off is settled by
`hft stack recover`; until then every other verb refuses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hft import options
from hft.changing import ask
from hft.errors import Exit, HftError
from hft.locks import site_lock
from hft.stack_guards import RELEASE, check_approval, check_market_hours, digest_of, spend
from hft.stack_runs import (
    PROJECT,
    REFRESH,
    SETTINGS,
    at_site,
    lost_by,
    opened,
    room,
    run_recorded,
    show,
    show_end,
    telling,
)
from hft.verbs.stack_inventory import inventory
from transport.show import tell, tell_document


@click.group()
def stack() -> None:
    """Create, refresh and destroy what a Pulumi project says, and settle what was cut off.

    PROJECT is the name of one that comes with this release, or a folder with a Pulumi.yaml. State, plan,
    secrets and locks are Pulumi's own, in $HFT_STATE/stacks/SITE; docs/stacks.md says what stands in.

    \b
    Examples:
      hft stack preview rehearsal --settings try.yaml --save plan.json
      hft stack up rehearsal --plan plan.json
      hft stack recover rehearsal          # after a run that was killed
    """


@stack.command()
@PROJECT
@at_site
@SETTINGS
@REFRESH
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PLAN",
    help="Keep the plan, for `up --plan`.",
)
@options.JSON
def preview(  # noqa: PLR0913, PLR0917  # one for each option
    project: str, site: str, settings: Path | None, refresh: bool, save: Path | None, as_json: bool
) -> int:
    """Show what `up` would do; nothing is changed. Exit code 3 where something would.

    \b
    Examples:
      hft stack preview rehearsal --settings try.yaml
      hft stack preview lab --save plan.json --json
    """
    with site_lock(site, f"hft stack preview {project}"):
        run = opened(project, site, create=True, settings=settings)
        plan = save or run.place.root / "preview.plan"
        changes = run.preview(plan, refresh=refresh)
        digest = digest_of(plan)
        if save is None:
            plan.unlink()
        show(run, changes, as_json=as_json, plan=str(save) if save else None, digest=digest)
        if save and not as_json:
            tell(f"plan: {save}, digest {digest}")
    return Exit.PENDING if changes else Exit.OK


@stack.command()
@PROJECT
@at_site
@SETTINGS
@REFRESH
@click.option(
    "--plan",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PLAN",
    help="Do what this one says, and refuse where that no longer fits.",
)
@click.option(
    "--approve",
    default="",
    metavar="DIGEST",
    help="The plan's digest: its deletions and replacements may be.",
)
@options.YES
@options.REASON
@options.TAKEOVER
@RELEASE
@options.JSON
def up(  # noqa: PLR0913, PLR0917  # one for each option
    project: str,
    site: str,
    settings: Path | None,
    refresh: bool,
    plan: Path | None,
    approve: str,
    yes: bool,
    reason: str,
    takeover: bool,
    release: Path | None,
    as_json: bool,
) -> int:
    """Create and change what the project says: shown first, asked for, then done exactly so.

    With --yes nothing is deleted or replaced unless the plan was saved by `preview --save`, and --approve
    names its digest; that approves one run. Nothing is deleted or replaced in market hours.

    \b
    Examples:
      hft stack up rehearsal --settings try.yaml
      hft stack up rehearsal --plan plan.json --approve 5f1c0c9a --yes
    """
    with site_lock(site, reason or f"hft stack up {project}", takeover=takeover) as lock:
        run = opened(project, site, create=True, settings=settings)
        shown = run.place.root / "up.plan"
        changes = run.preview(shown, refresh=refresh)
        show(run, changes, as_json=False, err=as_json)
        if changes:
            lost = lost_by(changes)
            approved = check_approval(lost, plan=plan, approval=approve, project=project, site=site, yes=yes)
            check_market_hours(lost, release)
            ask(f"Do this at site {site}?", yes=yes, as_json=as_json)
            lock.check()
            if approved:
                spend(run.place.approvals, approve)
        with run_recorded(site, "stack up", reason, changes):
            # Also where no object changes: what is protected is kept in the state alone.
            done = run.up(plan or shown, telling(as_json=as_json), refresh=refresh)
        shown.unlink(missing_ok=True)
        show_end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@at_site
@options.DRY_RUN
@options.REASON
@options.JSON
def refresh(project: str, site: str, dry_run: bool, reason: str, as_json: bool) -> int:
    """Take into the state what is really there; with --dry-run only say what is no longer so (exit code 3).

    \b
    Examples:
      hft stack refresh rehearsal --dry-run
    """
    with site_lock(site, reason or f"hft stack refresh {project}"):
        run = opened(project, site, create=False)
        if dry_run:
            changes = run.drift()
            show(run, changes, as_json=as_json)
            return Exit.PENDING if changes else Exit.OK
        with run_recorded(site, "stack refresh", reason, ()):
            done = run.refresh(telling(as_json=as_json))
        show_end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@at_site
@options.YES
@options.REASON
@options.TAKEOVER
@RELEASE
@options.JSON
def destroy(  # noqa: PLR0913, PLR0917  # one for each option
    project: str, site: str, yes: bool, reason: str, takeover: bool, release: Path | None, as_json: bool
) -> int:
    """Delete every object of the stack and forget it.

    Refused at once while one of them is protected, and in market hours.

    \b
    Examples:
      hft stack destroy rehearsal
    """
    with site_lock(site, reason or f"hft stack destroy {project}", takeover=takeover) as lock:
        run = opened(project, site, create=False)
        names = run.check_destroyable()
        tell(f"goes: {', '.join(names) or 'nothing'}", err=as_json)
        check_market_hours(names, release)
        ask(f"Delete {len(names)} objects of {project} at site {site} for good?", yes=yes, as_json=as_json)
        lock.check()
        with run_recorded(site, "stack destroy", reason, ()):
            done = run.destroy(telling(as_json=as_json))
        show_end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@click.argument("key")
@at_site
@SETTINGS
def secret(project: str, key: str, site: str, settings: Path | None) -> int:
    """Keep a setting of the stack encrypted; its value is read from standard input, or asked for.

    \b
    Examples:
      hft stack secret rehearsal token < token.txt
    """
    if sys.stdin.isatty():
        value = str(click.prompt(key, hide_input=True, confirmation_prompt=True, err=True))
    else:
        value = sys.stdin.read().rstrip("\n")
    if not value:
        raise HftError(Exit.BAD_INPUT, f"{key}: standard input holds no value, so nothing was kept")
    with site_lock(site, f"hft stack secret {project}"):
        run = opened(project, site, create=True, settings=settings)
        run.set_secret(key, value)
    tell(f"{key} is set, encrypted, in {run.place.settings}")
    return Exit.OK


@stack.command()
@PROJECT
@at_site
@options.JSON
def outputs(project: str, site: str, as_json: bool) -> int:
    """Print the outputs of the last good run, secrets hidden; refused after a run that did not end well.

    \b
    Examples:
      hft stack outputs rehearsal --json
    """
    with room():
        from stacks.runner.place import place_of
        from stacks.runner.records import outputs_of
    found = outputs_of(place_of(project, site))
    if as_json:
        tell_document({"schema": 1, "project": project, "site": site, "outputs": found})
        return Exit.OK
    for key, value in sorted(found.items()):
        tell(f"{key}: {value}")
    return Exit.OK


@stack.command()
@PROJECT
@at_site
@options.YES
@options.REASON
@options.JSON
def recover(project: str, site: str, yes: bool, reason: str, as_json: bool) -> int:
    """Settle what a run that was cut off left: a dead lock, objects that no state knows, half-made ones.

    A state that cannot be read gets back what was there before its last write, where the engine's copy of
    that is whole; one that another Python or a newer engine wrote is taken over by these.

    \b
    Examples:
      hft stack recover rehearsal
      hft stack recover rehearsal --yes && hft stack up rehearsal --yes
    """
    with site_lock(site, reason or f"hft stack recover {project}"):
        mended = _mended(project, site, yes=yes, as_json=as_json)
        run = opened(project, site, create=False, moves=True)
        decided = run.decide()
        for line in decided.why:
            tell(line, err=as_json)
        if not decided.is_empty:
            ask(f"Settle this at site {site}?", yes=yes, as_json=as_json)
        with run_recorded(site, "stack recover", reason, ()):
            done = run.settle(decided, telling(as_json=as_json))
        show_end(run, done, as_json=as_json, why=(*mended, *decided.why))
    return Exit.OK


def _mended(project: str, site: str, *, yes: bool, as_json: bool) -> tuple[str, ...]:
    """Free the stack of a dead run and its state of what the engine cannot read; says what was done."""
    with room():
        from stacks.runner.mend import look, mend, take_over
        from stacks.runner.place import place_of
    place = place_of(project, site)
    take_over(place, telling(as_json=as_json))
    decided = look(place)
    for line in decided.why:
        tell(line, err=as_json)
    if not decided.is_empty:
        ask(f"Mend this at site {site}?", yes=yes, as_json=as_json)
        mend(place, decided)
    return decided.why


stack.add_command(inventory)
