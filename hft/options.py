"""Options that several verbs share, once: the same word, the same help, the same meaning."""

from __future__ import annotations

import math
from typing import Any

import click
from typing_extensions import override

from inventory.suggest import LIMIT_HELP
from transport.hint import use_inventory


class Seconds(click.FloatRange):
    """A finite number of seconds in a range."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


def _used(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """Every hint of this run names the inventory that it was given."""
    use_inventory(path)
    return path


INVENTORY = click.option(
    "--inventory",
    metavar="PATH",
    envvar="HFT_INVENTORY",
    callback=_used,
    help="A .py, .toml or .json inventory (default: $HFT_INVENTORY, else the lab).",
)
LIMIT = click.option("--limit", metavar="HOSTS", help=LIMIT_HELP)
SKIP_DARK = click.option(
    "--skip-dark", is_flag=True, help="Go on without the hosts that do not answer; exit code 7 all the same."
)
YES = click.option("--yes", is_flag=True, help="Do not ask.")
REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for the run record and the lock.")
TAKEOVER = click.option("--takeover", is_flag=True, help="Take the site's lock from a run that is stuck.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what is pending and change nothing.")
DRAIN = click.option("--drain", is_flag=True, help="Stop the engine where it runs, start it again after.")
DRAIN_FOR_GOOD = click.option(
    "--drain", is_flag=True, help="Stop the engine where it runs; it stays stopped."
)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
