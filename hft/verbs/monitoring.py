"""`hft monitoring`: the alerts of a site, and what Prometheus and the Alertmanager pair run with."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from pydantic import BaseModel, ConfigDict, StringConstraints

from hft import options
from hft.errors import Exit, HftError
from hft.files import write_tree
from hft.toml_file import model_of
from hft.verbs.monitoring_remedy import remedy
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from inventory.model import Site
    from monitoring.alert import Alert
    from monitoring.alertmanager import Contacts
    from monitoring.layout import Layout

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2000)]
SecretFile = Annotated[str, StringConstraints(pattern=r"^/[!-~]+$", max_length=1000)]
Channel = Annotated[str, StringConstraints(pattern=r"^[#@]?[a-z0-9._-]+$", max_length=80)]


class ContactFile(BaseModel):
    """One table of the file of contacts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pagerduty_key_file: SecretFile | None = None
    slack_url_file: SecretFile | None = None
    slack_channel: Channel | None = None
    webhook_urls: tuple[Url, ...] = ()


class ContactsFile(BaseModel):
    """The file of `--contacts`; a table that is left out keeps its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page: ContactFile | None = None
    ticket: ContactFile | None = None
    watchdog: ContactFile | None = None


UPLOT = click.option(
    "--uplot",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder dist of the npm package uplot, which draws the wall; set-up's by default.",
)


@click.group()
def monitoring() -> None:
    """Alerts with their budgets; what Prometheus and the Alertmanager pair run with."""


@monitoring.command(
    epilog="""\b
Examples:
  hft monitoring alerts                       every alert: threshold, budget, whom it wakes
  hft monitoring alerts --json | jq '.alerts[] | select(.severity == "page") | .name'
"""
)
@options.JSON
def alerts(as_json: bool) -> int:
    """List the alerts: severity, budget in seconds from fault to notification, thresholds."""
    from monitoring.alerts import ALERTS
    from monitoring.alerts_page import thresholds

    if as_json:
        tell_document({"schema": 1, "alerts": [_document(alert) for alert in ALERTS]})
        return Exit.OK
    width = max(len(alert.file) for alert in ALERTS)
    tell(Styled(f"{'alert':<{width}}  who     budget  threshold", "bold"))
    for alert in ALERTS:
        waits = "" if alert.is_built else "  waits: not exported yet"
        line = (
            f"{alert.file:<{width}}  {alert.severity.value:<6}  {alert.budget_s:>4g} s  {thresholds(alert)}"
        )
        tell(line, Styled(waits, "dim"))
    return Exit.OK


def _document(alert: Alert) -> dict[str, object]:
    return {
        "name": alert.name,
        "labels": dict(alert.labels),
        "severity": alert.severity.value,
        "budget_s": alert.budget_s,
        "for_s": alert.for_s,
        "thresholds": dict(alert.thresholds),
        "metrics": list(alert.condition.metrics),
        "built": alert.is_built,
        "action": alert.action,
    }


@monitoring.command(
    epilog="""\b
Examples:
  hft monitoring render build/monitoring --inventory site.toml
  hft monitoring render build/monitoring --inventory site.toml --contacts contacts.toml
  cd build/monitoring && promtool test rules tests/*.yml

\b
DIR gets a folder for each host with role monitoring, laid out like its /etc, and tests/. The contacts have
the tables page, ticket and watchdog, each with pagerduty_key_file, slack_url_file (paths on the monitoring
host: no secret is ever in a rendered file), slack_channel and webhook_urls.
"""
)
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@options.INVENTORY
@click.option("--contacts", metavar="FILE", type=click.Path(path_type=Path), help="Whom to tell; TOML.")
@options.JSON
def render(target: Path, inventory: str | None, contacts: Path | None, as_json: bool) -> int:
    """Write the configuration of Prometheus and of the Alertmanager pair into DIR, with the rules' tests."""
    from hft.sites import load
    from monitoring.alerts import rendered, waiting
    from monitoring.tree import tree

    layout = layout_of(load(inventory))
    people = contacts_of(contacts)
    files = tree(layout, people)
    write_tree(target, files)
    if people.watchdog.is_nobody:
        tell("nobody outside of the site hears the watchdog: give --contacts a table watchdog", err=True)
    if as_json:
        tell_document(
            {
                "schema": 1,
                "directory": str(target),
                "hosts": [one.target.host for one in layout.members],
                "files": sorted(files),
                "alerts": len(rendered()),
                "waiting": sorted({one.file for one in waiting()}),
            }
        )
        return Exit.OK
    names = ", ".join(one.target.host for one in layout.members)
    tell(f"{target}: {len(files)} files for {names}; {len(rendered())} alerts, {len(waiting())} wait")
    return Exit.OK


@monitoring.command(
    epilog="""\b
Examples:
  hft monitoring dashboards build/dashboards --inventory site.toml
  hft monitoring dashboards build/dashboards --uplot node_modules/uplot/dist

\b
DIR gets grafana/ with a JSON file for each board and a provisioning file, and wall/, our own page: with
`prometheus --web.user-assets=DIR/wall` it is at http://HOST:9090/user/. `hft monitoring deploy` installs it.
"""
)
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@options.INVENTORY
@UPLOT
@options.JSON
def dashboards(target: Path, inventory: str | None, uplot: Path | None, as_json: bool) -> int:
    """Write the dashboards into DIR: Grafana's JSON, and the page that Prometheus serves."""
    from hft.sites import load
    from hft.wall_assets import assets
    from monitoring.boards import grafana, wall
    from monitoring.boards.every import BOARDS

    layout = layout_of(load(inventory))
    files = {f"wall/{name}": text for name, text in wall.files(layout, assets(uplot)).items()}
    files |= {f"grafana/{name}": text for name, text in grafana.files().items()}
    write_tree(target, files)
    panels = sum(len(board.panels) for board in BOARDS)
    if as_json:
        boards = [{"uid": one.uid, "title": one.title, "panels": len(one.panels)} for one in BOARDS]
        tell_document({"schema": 1, "directory": str(target), "files": sorted(files), "boards": boards})
        return Exit.OK
    tell(f"{target}: {len(BOARDS)} boards with {panels} panels, for Grafana and for Prometheus' own page")
    return Exit.OK


@monitoring.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  hft monitoring quiet --alertmanager http://watch-1:9093 --limit engine-1 --reason "release 1.4" -- \\
      hft engine deploy build/my-engine --limit engine-1 --drain

\b
The silence is a lease of three minutes, extended while COMMAND runs and expired at its end; if this process
dies it lapses. It covers only alerts that a deploy may cause (docs/alerts.md says which), of these hosts. The
exit code is that of COMMAND; 7 where no Alertmanager takes the silence, and COMMAND is not run.
""",
)
@options.INVENTORY
@click.option("--limit", metavar="HOSTS", required=True, help="Host names and patterns, by commas.")
@click.option(
    "--alertmanager", "urls", metavar="URL", multiple=True, required=True, help="A member; repeat for both."
)
@click.option("--reason", metavar="TEXT", required=True, help="Why; whoever is on call reads it.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def quiet(
    inventory: str | None, limit: str, urls: tuple[str, ...], reason: str, command: tuple[str, ...]
) -> int:
    """Run COMMAND while alerts that a deploy may cause on HOSTS are silent."""
    from hft.json_over_http import checked
    from hft.operators import operator
    from hft.silence import held
    from hft.sites import load
    from inventory.selection import select
    from monitoring.lease import Lease

    urls = tuple(checked(url, "an Alertmanager") for url in urls)
    hosts = tuple(one.name for one in select(load(inventory), limit))
    lease = Lease(hosts=hosts, holder=operator(), reason=reason, begun=datetime.now(UTC))
    with held(urls, lease):
        tell(f"silent on {', '.join(hosts)} while it runs", err=True)
        try:
            return subprocess.run(command, check=False).returncode
        except OSError as error:
            raise HftError(Exit.BAD_INPUT, f"{command[0]}: cannot be run: {error.strerror}") from error


@monitoring.command(
    epilog="""\b
Examples:
  hft monitoring deploy --dry-run --inventory site.toml     what would change; exit code 3 if anything
  hft monitoring deploy --inventory site.toml --yes         both hosts
  hft monitoring deploy --limit watch-1 --contacts contacts.toml
  hft monitoring deploy --packages packages.toml            packages from a mirror of your own
  hft monitoring deploy --no-start                          files alone, as for an image

\b
The packages have the tables prometheus, alertmanager and node_exporter, each with source = "debian" (where
it is left out), "mirror" with url and sha256, or "local" with file: a .deb on this machine.
"""
)
@options.INVENTORY
@options.LIMIT
@UPLOT
@click.option("--contacts", metavar="FILE", type=click.Path(path_type=Path), help="Whom to tell; TOML.")
@click.option("--packages", metavar="FILE", type=click.Path(path_type=Path), help="Where packages come from.")
@click.option("--start/--no-start", default=True, help="Enable and start the units (default), or do not.")
@options.DRY_RUN
@options.YES
@options.REASON
@options.TAKEOVER
@options.JSON
def deploy(  # noqa: PLR0913, PLR0917  # one for each option
    inventory: str | None,
    limit: str | None,
    uplot: Path | None,
    contacts: Path | None,
    packages: Path | None,
    start: bool,
    dry_run: bool,
    yes: bool,
    reason: str,
    takeover: bool,
    as_json: bool,
) -> int:
    """Bring the hosts with role monitoring to what `render` writes: packages, files, units."""
    from hft.monitoring_deploy import DeployRequest, deployed, tried
    from hft.sites import load
    from hft.wall_assets import assets
    from monitoring.tree import deployed as files_of

    site = load(inventory)
    request = DeployRequest(
        site=site,
        limit=limit,
        files=files_of(layout_of(site), contacts_of(contacts), assets(uplot)),
        packages=packages,
        starts_units=start,
        yes=yes,
        reason=reason,
        takeover=takeover,
        as_json=as_json,
    )
    return tried(request) if dry_run else deployed(request)


monitoring.add_command(remedy)


def layout_of(site: Site) -> Layout:
    """The site as monitoring sees it.

    Raises: HftError (bad input) where nobody is there to watch.
    """
    from monitoring.layout import LayoutError, Target, layout

    targets = tuple(
        Target(
            host=one.name,
            address=one.address,
            host_class=one.host_class,
            role=one.role,
            failure_domain=one.failure_domain,
        )
        for one in site.hosts
    )
    try:
        return layout(site.name, targets)
    except LayoutError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error


def contacts_of(path: Path | None) -> Contacts:
    """The contacts of a file, or the defaults.

    Raises: HftError (bad input) for a file that cannot be read or is not of this form.
    """
    from monitoring.alertmanager import Contact, Contacts

    if path is None:
        return Contacts()
    written = model_of(path, ContactsFile)
    given = {name: Contact(**one.model_dump()) for name, one in written if one is not None}
    return Contacts(**given)
