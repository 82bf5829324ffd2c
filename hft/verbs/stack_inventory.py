"""`hft stack inventory`: the hosts that a stack made, as the signed inventory that every other verb reads.

From there on neither the engine nor its state is needed to find them. A run that did not end well has no
outputs to believe, so nothing is signed after it.
"""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from hft import options
from hft.errors import Exit, HftError
from hft.stack_runs import PROJECT, at_site, room
from hft.verbs.inventory import SignRequest, show_signed, sign_site
from inventory.artifact import DAYS_MOST, is_signed_name
from inventory.bounded import read_bounded
from inventory.envelope import SIZE_MAX, SUFFIX, Envelope, taken_apart
from inventory.model import Site
from inventory.validation_message import explain
from transport.show import tell

OUTPUT = "site"
_PATH = click.Path(path_type=Path)


@click.command()
@PROJECT
@at_site
@click.option(
    "--key", required=True, type=_PATH, help="The private key; of a public one an agent has the rest."
)
@click.option("--to", required=True, type=_PATH, metavar="PATH", help=f"Where to; its name ends in {SUFFIX}.")
@click.option(
    "--days", type=click.IntRange(1, DAYS_MOST), default=30, show_default=True, help="How long it holds."
)
@options.REASON
@options.JSON
def inventory(  # noqa: PLR0913, PLR0917  # one for each option
    project: str, site: str, key: Path, to: Path, days: int, reason: str, as_json: bool
) -> None:
    """Sign the output `site` of the last good run: hosts with their identities, from which stack and engine.

    \b
    Examples:
      hft stack inventory lab --key ~/.ssh/site-signer --to standby.signed.json
      hft check --inventory standby.signed.json
    """
    with room():
        from stacks.runner.place import place_of
        from stacks.runner.records import last_run, outputs_of
    place = place_of(project, site)
    made = _site_in(outputs_of(place).get(OUTPUT), project)
    request = SignRequest(
        source=place.checkpoint,
        key=key,
        to=to,
        days=days,
        generation=None,
        engine=f"pulumi v{last_run(place)['engine']}",
        stack=f"organization/{place.project}/{site}",
        reason=reason,
    )
    for line in new_machines(_machines_in(to), made):
        tell(line, err=as_json)
    show_signed(to, sign_site(made, request), as_json=as_json)


def _site_in(found: object, project: str) -> Site:
    if found is None:
        raise HftError(Exit.BAD_INPUT, f"{project}: has no output {OUTPUT!r}, so it tells of no hosts")
    try:
        return Site.model_validate(found)
    except ValidationError as error:
        raise HftError(Exit.BAD_INPUT, f"{project}: output {OUTPUT!r}: {explain(error, found)[0]}") from error


def _machines_in(path: Path) -> dict[str, str]:
    """The machine ids in the inventory that is to be replaced; signing refuses one that is none."""
    if not (is_signed_name(path) and path.exists()):
        return {}
    try:
        body, _ = taken_apart(read_bounded(path, SIZE_MAX))
        return _ids(Envelope.model_validate(body).site)
    except (OSError, ValueError):
        return {}


def _ids(site: Site) -> dict[str, str]:
    return {host.name: host.machine_id for host in site.hosts if host.machine_id is not None}


def new_machines(before: dict[str, str], made: Site) -> list[str]:
    """A sentence for each host whose name another machine had BEFORE."""
    return [
        f"{name}: a new machine, {now[:8]} where {before[name][:8]} was; nothing known of the old one holds"
        for name, now in _ids(made).items()
        if before.get(name, now) != now
    ]
