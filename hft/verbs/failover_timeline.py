"""`hft failover timeline`: one run of the record, line by line."""

from __future__ import annotations

from pathlib import Path

import click

from hft import options
from hft.errors import Exit
from hft.verbs.failover_move import CLUSTER
from transport.show import tell, tell_document

PREFIXES = ("failover ", "release ")


@click.command(
    epilog="""\b
Examples:
  hft failover timeline
  hft failover timeline 20261201T093012-1f2e3d4c --json

Exit codes: 0, 5 when the record is damaged.
"""
)
@click.argument("run", default="last")
@CLUSTER
@options.INVENTORY
@options.JSON
def timeline(run: str, path: Path | None, inventory: str | None, as_json: bool) -> int:
    """Who, why, by which plan; then what was begun and what came of it, with milliseconds by phase."""
    from hft import run_log
    from hft.past import run_named, runs_of
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.past import moments
    from hft.views.failover import SCHEMA
    from hft.views.table import show_table

    site = load_cluster(path, inventory).site
    record = run_log.read_to_look(site)
    found = run_named([one for one in runs_of(record.lines) if one.verb.startswith(PREFIXES)], run)
    told = moments(record.lines, found.run)
    if as_json:
        rows = [{"at": one.at, "what": one.what, "facts": dict(one.facts)} for one in told]
        tell_document({"schema": SCHEMA, "site": site, "run": found.run, "verb": found.verb, "moments": rows})
    else:
        tell(f"{found.run}: {found.verb}, {found.ended}")
        shown = [(one.at, one.what, ", ".join(f"{k} {v}" for k, v in one.facts.items())) for one in told]
        show_table(("at", "what", "facts"), shown)
    return Exit.VIOLATED if record.problems else Exit.OK
