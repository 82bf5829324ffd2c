"""Options that several verbs share, once: the same word, the same help, the same meaning."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
from typing_extensions import override

from inventory.suggest import LIMIT_HELP
from transport.at_once import THREADS_MOST, act_on
from transport.hint import use_inventory

LAB, HERE = "hft.lab", "hft.here"  # of a click context: --lab, --local was given
Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A finite number of seconds in a range."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


def _used(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """Every hint of this run names the inventory that it was given, also that of a wrong command line."""
    use_inventory(path or os.environ.get("HFT_INVENTORY") or None)
    return path


def _lab(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Kept for hft/sites.py; a verb need not know how its site was named."""
    if wanted:
        context.meta[LAB] = True
        _one_site(context)


def _here(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """As of --lab."""
    if wanted:
        context.meta[HERE] = True
        _one_site(context)


def _one_site(context: click.Context) -> None:
    """Before anything is looked at, whatever the verb would have looked at first."""
    if context.meta.get(LAB) and context.meta.get(HERE):
        raise click.UsageError("--lab and --local name two sites; leave one of them out", context)


_INVENTORY = click.option(
    "--inventory",
    metavar="PATH",
    callback=_used,
    help="A .py, .toml or .json inventory (default: the configured site, see `hft site show`).",
)
_LAB = click.option(
    "--lab", is_flag=True, expose_value=False, callback=_lab, help="The lab of this machine, whatever else."
)
_HERE = click.option(
    "--local", is_flag=True, expose_value=False, callback=_here,
    help="This machine alone, without SSH: as the host of the site that it is enrolled as, or by itself.",
)  # fmt: skip


def INVENTORY(command: Command) -> Command:  # noqa: N802  # one of the options below
    """The three options that name a site."""
    return _INVENTORY(_LAB(_HERE(command)))


def is_here() -> bool:
    """Whether the command that runs was given --local."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(HERE))


def _hosts(context: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Host names for a shell; what that takes is loaded only then."""
    from hft.completion import host_names

    return host_names(context, param, begun)


def _words(context: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Words of a limit for a shell."""
    from hft.completion import limit_words

    return limit_words(context, param, begun)


HOSTS = _hosts  # `shell_complete` of an argument that names a host
LIMIT = click.option("--limit", metavar="HOSTS", help=LIMIT_HELP, shell_complete=_words)
REQUIRE_ALL = click.option(
    "--require-all",
    is_flag=True,
    help="Change no host if one does not answer; otherwise it is left out.",
)
RETRIES = click.option(
    "--retries", type=click.IntRange(0, 20), default=0, show_default=True, metavar="COUNT",
    help="Ask a host that does not answer so many times more, before anything is changed.",
)  # fmt: skip


def _parallel(_: click.Context, __: click.Parameter, most: int | None) -> None:
    act_on(THREADS_MOST if most is None else most)


PARALLEL = click.option(
    "--parallel", type=click.IntRange(1, THREADS_MOST), metavar="COUNT", expose_value=False,
    callback=_parallel,
    help=f"Hosts at once, at most (default {THREADS_MOST}); a wave is still of one failure domain.",
)  # fmt: skip
YES = click.option("--yes", is_flag=True, help="Do not ask.")
REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for the run record and the lock.")
TAKEOVER = click.option("--takeover", is_flag=True, help="Take the site's lock from a run that is stuck.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what is pending and change nothing.")
DRAIN = click.option("--drain", is_flag=True, help="Stop the engine where it runs, start it again after.")
DRAIN_FOR_GOOD = click.option(
    "--drain", is_flag=True, help="Stop the engine where it runs; it stays stopped."
)


def _one_form(context: click.Context, param: click.Parameter, value: Any) -> Any:
    given = {**context.params, str(param.name): value}
    if given.get("as_json") and given.get("form") == "csv":
        raise click.UsageError("--json and --format csv name two forms; leave one of them out", context)
    return value


JSON = click.option(
    "--json", "as_json", is_flag=True, callback=_one_form, help="One JSON document on standard output."
)
FORMAT = click.option(
    "--format", "form", type=click.Choice(("table", "json", "csv")), default="table", show_default=True,
    callback=_one_form,
    help="Of what is printed on standard output.",
)  # fmt: skip
