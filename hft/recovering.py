"""`hft recover`: bring a host that a change left half undone, or cut off, wholly back to its old state."""

from __future__ import annotations

import json

import click

from deploys.errors import DeployError
from deploys.looking import look
from deploys.recovering import recover_host
from deploys.work import check_identity
from hft import records
from hft.apply_view import ends_document, exit_code_of_ends, show_end
from hft.locks import site_lock
from hft.output import tell
from inventory.load import load_site
from inventory.selection import select_one


@click.command(
    epilog="""\b
Examples:
  hft recover engine-1                       what `hft status` or a failed apply named
  hft recover engine-1 --reason "disk replaced"

\b
Exit codes: 0 wholly on its old state, or nothing was open; 10 still half undone, with what differs;
2 bad input, 7 unreachable, 8 locked.
"""
)
@click.argument("host")
@click.option("--inventory", metavar="PATH", help="An inventory file (default: the lab).")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the run record and the lock.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def recover(host: str, inventory: str | None, reason: str, as_json: bool) -> int:
    """Undo what was cut off or left half undone on a host; what is committed stays."""
    site = load_site(inventory)
    chosen = select_one(site, host)
    with site_lock(site.name, reason or f"hft recover {host}") as lock:
        seen = look([chosen])[host]
        if isinstance(seen, DeployError):
            raise seen
        check_identity(chosen, seen)
        lock.check()
        with records.recorded(site.name, "recover", hosts=[host], reason=reason) as run:
            end = recover_host(chosen)
            run.host(host, result=end.result)
            run.exit_code = exit_code_of_ends([end])
        show_end(end, as_json=as_json)
        if as_json:
            tell(json.dumps(ends_document([end]), indent=1))
    return run.exit_code
