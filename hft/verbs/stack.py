"""`hft stack`: hosts and what they need, created, refreshed and destroyed by Pulumi's engine.

A run is bound to the plan that was shown. What the engine leaves open when it is cut off is settled by
`hft stack recover`; until then every other verb refuses.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.changing import ask
from hft.errors import Exit, HftError
from hft.locks import site_lock
from hft.run_log import recorded
from lab.paths import lab_name
from stacks.runner.checkpoint import name_of
from transport.hint import command
from transport.show import tell, tell_document

if TYPE_CHECKING:
    from stacks.runner.run import StackRun
    from stacks.runner.seen import Change

PROJECT = click.argument("project")
SITE = click.option(
    "--site", default=lambda: f"lab-{lab_name()}", metavar="NAME", help="Whose state (default: the lab's)."
)
SETTINGS = click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The stack's settings from now on, as Pulumi.SITE.yaml has them.",
)
REFRESH = click.option("--refresh", is_flag=True, help="First look at what is really there, then decide.")


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
@SITE
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
        run = _open(project, site, create=True, settings=settings)
        plan = save or run.place.root / "preview.plan"
        changes = run.preview(plan, refresh=refresh)
        digest = _digest(plan)
        if save is None:
            plan.unlink()
        _show(run, changes, as_json=as_json, plan=str(save) if save else None, digest=digest)
        if save and not as_json:
            tell(f"plan: {save}, digest {digest}")
    return Exit.PENDING if changes else Exit.OK


@stack.command()
@PROJECT
@SITE
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
    as_json: bool,
) -> int:
    """Create and change what the project says: shown first, asked for, then done exactly so.

    With --yes nothing is deleted or replaced unless the plan was saved by `preview --save`, and --approve
    names its digest.

    \b
    Examples:
      hft stack up rehearsal --settings try.yaml
      hft stack up rehearsal --plan plan.json --approve 5f1c0c9a --yes
    """
    with site_lock(site, reason or f"hft stack up {project}", takeover=takeover) as lock:
        run = _open(project, site, create=True, settings=settings)
        shown = run.place.root / "up.plan"
        changes = run.preview(shown, refresh=refresh)
        _show(run, changes, as_json=False, err=as_json)
        if changes:
            look = command("stack", "preview", project, "--site", site, "--save", "PLAN")
            _approve(plan, approve, changes, look, yes=yes)
            ask(f"Do this at site {site}?", yes=yes, as_json=as_json)
            lock.check()
        with _recorded(site, "stack up", reason, changes):
            # Also where no object changes: what is protected is kept in the state alone.
            done = run.up(plan or shown, _told(as_json=as_json), refresh=refresh)
        shown.unlink(missing_ok=True)
        _end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@SITE
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
        run = _open(project, site, create=False)
        if dry_run:
            changes = run.drift()
            _show(run, changes, as_json=as_json)
            return Exit.PENDING if changes else Exit.OK
        with _recorded(site, "stack refresh", reason, ()):
            done = run.refresh(_told(as_json=as_json))
        _end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@SITE
@options.YES
@options.REASON
@options.TAKEOVER
@options.JSON
def destroy(  # noqa: PLR0913, PLR0917  # one for each option
    project: str, site: str, yes: bool, reason: str, takeover: bool, as_json: bool
) -> int:
    """Delete every object of the stack and forget it; refused at once while one of them is protected.

    \b
    Examples:
      hft stack destroy rehearsal
    """
    with site_lock(site, reason or f"hft stack destroy {project}", takeover=takeover) as lock:
        run = _open(project, site, create=False)
        names = run.check_destroyable()
        tell(f"goes: {', '.join(names) or 'nothing'}", err=as_json)
        ask(f"Delete {len(names)} objects of {project} at site {site} for good?", yes=yes, as_json=as_json)
        lock.check()
        with _recorded(site, "stack destroy", reason, ()):
            done = run.destroy(_told(as_json=as_json))
        _end(run, done, as_json=as_json)
    return Exit.OK


@stack.command()
@PROJECT
@click.argument("key")
@SITE
@SETTINGS
def secret(project: str, key: str, site: str, settings: Path | None) -> int:
    """Keep a setting of the stack encrypted; its value is read from standard input, or asked for.

    \b
    Examples:
      hft stack secret rehearsal token < token.txt
    """
    with site_lock(site, f"hft stack secret {project}"):
        run = _open(project, site, create=True, settings=settings)
        if sys.stdin.isatty():
            value = str(click.prompt(key, hide_input=True, confirmation_prompt=True, err=True))
        else:
            value = sys.stdin.read().rstrip("\n")
        run.set_secret(key, value)
    tell(f"{key} is set, encrypted, in {run.place.settings}")
    return Exit.OK


@stack.command()
@PROJECT
@SITE
@options.JSON
def outputs(project: str, site: str, as_json: bool) -> int:
    """Print the outputs of the last good run, secrets hidden; refused after a run that did not end well.

    \b
    Examples:
      hft stack outputs rehearsal --json
    """
    with _room():
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
@SITE
@options.YES
@options.REASON
@options.JSON
def recover(project: str, site: str, yes: bool, reason: str, as_json: bool) -> int:
    """Settle what a run that was cut off left: a dead lock, objects that no state knows, half-made ones.

    \b
    Examples:
      hft stack recover rehearsal
      hft stack recover rehearsal --yes && hft stack up rehearsal --yes
    """
    with site_lock(site, reason or f"hft stack recover {project}"):
        run = _open(project, site, create=False)
        run.take_over(_told(as_json=as_json))
        decided = run.decide()
        for line in decided.why:
            tell(line, err=as_json)
        if not decided.is_empty:
            ask(f"Settle this at site {site}?", yes=yes, as_json=as_json)
        with _recorded(site, "stack recover", reason, ()):
            done = run.settle(decided, _told(as_json=as_json))
        _end(run, done, as_json=as_json, why=decided.why)
    return Exit.OK


@contextmanager
def _room() -> Iterator[None]:
    """Pulumi's packages are an extra: one sentence where they are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise HftError(
            Exit.BAD_INPUT, f"the Python package {error.name} is not installed; hint: make setup-stacks"
        ) from error


def _open(project: str, site: str, *, create: bool, settings: Path | None = None) -> StackRun:
    with _room():
        from stacks.runner.place import place_of
        from stacks.runner.run import StackRun
        from stacks.runner.tools import find_tools

    def interrupted() -> None:
        tell("interrupted: the engine finishes what it has begun and starts nothing more", err=True)

    place, tools = place_of(project, site), find_tools()
    run = StackRun.open(place, tools, create=create, settings=settings, interrupted=interrupted)
    tell(run.sentence(), err=True)
    return run


def _digest(plan: Path) -> str:
    return hashlib.sha256(plan.read_bytes()).hexdigest()[:16]


def _approve(plan: Path | None, approve: str, changes: Sequence[Change], look: str, *, yes: bool) -> None:
    """What goes is not covered by --yes: it wants the digest of the plan in which somebody saw it."""
    lost = sorted({name_of(one.urn) for one in changes if one.is_loss})
    if not lost or not yes or (plan is not None and approve and approve == _digest(plan)):
        return
    given = f"--approve is not the digest of {plan}" if plan and approve else "--yes does not cover that"
    raise HftError(
        Exit.BAD_INPUT,
        f"{', '.join(lost)} would be deleted or replaced, and {given}; "
        f"hint: {look}, look at it, then up with --plan PLAN --approve DIGEST --yes",
    )


@contextmanager
def _recorded(site: str, verb: str, reason: str, changes: Sequence[Change]) -> Iterator[None]:
    """The run record's two lines; what is to change is named in the first."""
    names = sorted({name_of(one.urn) for one in changes})
    with recorded(site, verb, hosts=names, reason=reason):
        yield


def _told(*, as_json: bool) -> Callable[[str], None]:
    return lambda line: tell(f"  {line}", err=as_json)


def _rows(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [{"op": one.op, "name": name_of(one.urn), "type": one.type, "urn": one.urn} for one in changes]


def _show(  # noqa: PLR0913  # each by name
    run: StackRun,
    changes: Sequence[Change],
    *,
    as_json: bool,
    err: bool = False,
    plan: str | None = None,
    digest: str = "",
) -> None:
    if as_json:
        said = {"schema": 1, "project": run.place.project, "site": run.place.site, "changes": _rows(changes)}
        tell_document({**said, "plan": plan, "digest": digest, "engine": run.sentence()})
        return
    for one in changes:
        tell(f"{one.op} {name_of(one.urn)} ({one.type})", err=err)
    if not changes:
        tell("nothing is to change", err=err)


def _end(run: StackRun, done: Sequence[Change], *, as_json: bool, why: Sequence[str] = ()) -> None:
    if as_json:
        said = {"schema": 1, "project": run.place.project, "site": run.place.site, "done": _rows(done)}
        tell_document({**said, "settled": list(why), "engine": run.sentence()})
        return
    tell(f"{run.place.project} of site {run.place.site}: {len(done)} changes done")
