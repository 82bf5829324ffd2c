"""What the verbs of a stack have in common: which stack it is, the engine around it, how a run is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft.errors import Exit, HftError
from hft.run_log import recorded
from hft.sites import name_here
from stacks.runner.checkpoint import name_of
from transport.show import tell, tell_document

if TYPE_CHECKING:
    from stacks.runner.run import StackRun
    from stacks.runner.seen import Change


PROJECT = click.argument("project")
_SITE = click.option(
    "--site",
    metavar="NAME",
    help="Whose state (default: that of the configured site, see `hft site show`; else the lab's).",
)
SETTINGS = click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The stack's settings from now on, as Pulumi.SITE.yaml has them.",
)
REFRESH = click.option("--refresh", is_flag=True, help="First look at what is really there, then decide.")


def at_site(verb: Callable[..., int | None]) -> Callable[..., int | None]:
    """With `--site`; which one that is is found, and told, once the whole command line was understood."""

    @wraps(verb)
    def with_site(*args: Any, site: str | None, **given: Any) -> int | None:
        return verb(*args, site=name_here(site), **given)

    return _SITE(with_site)


@contextmanager
def room() -> Iterator[None]:
    """Pulumi's packages are an extra: one sentence where they are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise HftError(
            Exit.BAD_INPUT, f"the Python package {error.name} is not installed; hint: make setup-stacks"
        ) from error


def opened(
    project: str, site: str, *, create: bool, settings: Path | None = None, moves: bool = False
) -> StackRun:
    """The stack with the engine around it, which is told."""
    with room():
        from stacks.runner.place import place_of
        from stacks.runner.run import StackRun
        from stacks.runner.tools import find_tools

    def interrupted() -> None:
        tell("interrupted: the engine finishes what it has begun and starts nothing more", err=True)

    place, tools = place_of(project, site), find_tools()
    run = StackRun.open(place, tools, create=create, settings=settings, moves=moves, interrupted=interrupted)
    tell(run.sentence(), err=True)
    return run


@contextmanager
def run_recorded(site: str, verb: str, reason: str, changes: Sequence[Change]) -> Iterator[None]:
    """The run record's two lines; what is to change is named in the first."""
    names = sorted({name_of(one.urn) for one in changes})
    with recorded(site, verb, hosts=names, reason=reason):
        yield


def lost_by(changes: Sequence[Change]) -> tuple[str, ...]:
    """The names of what these changes delete or replace."""
    return tuple(sorted({name_of(one.urn) for one in changes if one.is_loss}))


def telling(*, as_json: bool) -> Callable[[str], None]:
    """Who is told of each step of a run."""
    return lambda line: tell(f"  {line}", err=as_json)


def rows_of(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes as a document has them."""
    return [{"op": one.op, "name": name_of(one.urn), "type": one.type, "urn": one.urn} for one in changes]


def show(  # noqa: PLR0913  # each by name
    run: StackRun,
    changes: Sequence[Change],
    *,
    as_json: bool,
    err: bool = False,
    plan: str | None = None,
    digest: str = "",
) -> None:
    """What would be done."""
    if as_json:
        said = {
            "schema": 1,
            "project": run.place.project,
            "site": run.place.site,
            "changes": rows_of(changes),
        }
        tell_document({**said, "plan": plan, "digest": digest, "engine": run.sentence()})
        return
    for one in changes:
        tell(f"{one.op} {name_of(one.urn)} ({one.type})", err=err)
    if not changes:
        tell("nothing is to change", err=err)


def show_end(run: StackRun, done: Sequence[Change], *, as_json: bool, why: Sequence[str] = ()) -> None:
    """What was done."""
    if as_json:
        said = {"schema": 1, "project": run.place.project, "site": run.place.site, "done": rows_of(done)}
        tell_document({**said, "settled": list(why), "engine": run.sentence()})
        return
    tell(f"{run.place.project} of site {run.place.site}: {len(done)} changes done")
