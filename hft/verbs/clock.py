"""`hft clock`: where a host's time comes from, whether it is right, and what proves that it was.

One door for time: it is looked at by other people than the tuning is, at other hours, and judged by servers
that no CPU hangs on. `plan` decides and prints, `apply` brings (hft/verbs/clock_apply.py), `check` looks once
and judges, `evidence` sums up what the looks were (hft/verbs/clock_check.py); only `apply` changes a host.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.files import Report
from hft.verbs.clock_apply import apply
from hft.verbs.clock_check import check, evidence
from transport.show import tell_document

if TYPE_CHECKING:
    from inventory.model import Host, Site
    from tuning.clock.plan import ClockPlan

SCHEMA = 1


@click.group()
def clock() -> None:
    """Where a host's time comes from, whether it is right, and what proves that it was."""


@clock.command(
    name="plan",
    epilog="""\b
Examples:
  hft clock plan engine-1                        daemons, who steers what, each file with its whys
  hft clock plan engine-1 --to clocks/engine-1   the files below that folder, to be read or carried
  hft clock plan engine-1 --snapshot engine-1.json --json

\b
Exit codes: 0, 2 a host without a part in PTP, or with one that contradicts itself, 7 it does not answer.
""",
)
@click.argument("host", shell_complete=options.HOSTS)
@options.INVENTORY
@click.option("--snapshot", metavar="FILE", help="What was captured of it before (hft snapshot).")
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="Write the files below DIR.")
@options.JSON
def clock_plan(host: str, inventory: str | None, snapshot: str | None, to: Path | None, as_json: bool) -> int:
    """Print the daemons and files that keep the time of HOST, as `ptp` of the inventory wants it."""
    from deploys.clock.files import clock_files
    from hft.sites import load
    from hft.views import clock as view
    from inventory.selection import select_one

    site = load(inventory)
    made = planned(site, select_one(site, host), inventory, snapshot)
    files = clock_files(made)
    for file in files if to is not None else ():
        _write(Path(str(to)) / file.path.removeprefix("/"), file.content.decode())
    if as_json:
        texts = {file.path: file.content.decode() for file in files}
        tell_document({"schema": SCHEMA, **document_of(made), "files": texts})
    else:
        view.show_clock(made, files)
    return Exit.OK


def planned(site: Site, host: Host, inventory: str | None, snapshot: str | None) -> ClockPlan:
    """The clock of a host, by what was captured of it: in a file, or now."""
    from deploys.clock.decide import asked_of, clock_of
    from hft.verbs.plan import look_at_host, snapshot_of
    from tuning.plan.planner import plan as make_plan
    from tuning.topology.reader import read_topology

    asked_of(host)  # before anybody is asked anything
    seen = snapshot_of(snapshot) if snapshot else look_at_host(host.name, inventory, None).snapshot
    topology, profile = read_topology(seen), site.profile_of(host)
    tuned = make_plan(topology, profile, host.named_ports) if profile is not None else None
    return clock_of(host, topology, tuned)


def document_of(made: ClockPlan) -> dict[str, Any]:
    """The plan of a clock for programs."""
    daemons = [
        {
            "unit": one.unit,
            "argv": list(one.argv),
            "steers": one.steers,
            "may_set_system_clock": one.is_writer,
            "cpus": None if one.cpus is None else one.cpus.list_text(),
            "fifo_priority": one.fifo_priority,
            "user": one.user,
            "why": one.why,
            "source": one.source,
        }
        for one in made.daemons
    ]
    masked = [{"unit": unit, "why": why} for unit, why in made.masked]
    wish = dataclasses.asdict(made.wish)
    return {"host": made.host, "wish": wish, "writer": made.writer.unit, "daemons": daemons, "masked": masked}


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path.parent}: cannot be made: {error.strerror}") from error
    with Report(path) as report:
        report.write(text)


clock.add_command(apply)
clock.add_command(check)
clock.add_command(evidence)
