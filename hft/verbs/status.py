"""`hft status`: for on-call. Every host at once, a deadline each, dark hosts named, and what to do about
each.

It writes nothing, takes no lock and needs no agent, so it may run while somebody applies and while half the
site is dark. A host that is busy is not called dark: its state says how far the look got.

It costs a host one grep; the plan that a host would get now costs a capture and is asked for by --plan, else
the plan last applied from here stands beside the committed one. Exit code: 10 when one is half undone and
nobody is at work on it, 7 when a host did not answer (9 when that is the doing of this machine, which
emulates it and was too busy), 2 when one is not the machine that was enrolled, 6 when a rollback has not been
acknowledged, else 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from hft import options
from hft.errors import Exit
from hft.site_report import Report, as_document, look_at
from hft.sites import load
from hft.status_screen import show
from hft.views.rows import Form
from inventory.selection import select
from transport.show import clear_screen, tell, tell_document

SILENT_S = 2.0  # a look that may take longer says how it goes


@click.command(
    epilog="""\b
Examples:
  hft status                          every host of the lab
  hft status engine-1 engine-2        two hosts
  hft status --watch 10                until Ctrl-C
  hft status --inventory site.toml --json | jq '.hosts[] | select(.reachable | not)'
"""
)
@click.argument("hosts", nargs=-1, metavar="[HOST]...", shell_complete=options.HOSTS)
@options.INVENTORY
@click.option(
    "--deadline",
    type=options.Seconds(0.1, 600),
    metavar="SECONDS",
    help="Of each host, to log in and again to answer; default: the site's.",
)
@click.option("--plan", "with_plan", is_flag=True, help="Also capture each host and plan it afresh.")
@click.option(
    "--watch", "watch_s", type=options.Seconds(1, 86_400), metavar="SECONDS", help="Look again and again."
)
@options.FORMAT
@options.JSON
def status(  # noqa: PLR0913, PLR0917  # one for each option
    hosts: tuple[str, ...],
    inventory: str | None,
    deadline: float | None,
    with_plan: bool,
    watch_s: float | None,
    form: Form,
    as_json: bool,
) -> int:
    """Where every host stands: alive, what it booted, its plan, what is unfinished, its last verdict."""
    if watch_s is not None and not (form == "table" and not as_json):
        raise click.UsageError("--watch is for a terminal: leave out --json and --format")
    site = load(inventory)
    chosen = select(site, ",".join(hosts) if hosts else None)
    deadline_s = deadline if deadline is not None else site.status_deadline_s

    def say(line: str) -> None:
        if deadline_s > SILENT_S:
            tell(line, err=True)

    def look_once() -> Report:
        say(
            f"asking {len(chosen)} host(s) of {site.name}, at most {deadline_s:g} s for each login and answer"
        )
        return look_at(site, chosen, deadline_s, with_plan=with_plan, say=say)

    if watch_s is not None:
        return watched(look_once, watch_s)
    report = look_once()
    if as_json or form == "json":
        tell_document(as_document(report))
    else:
        show(report, form)
    return report.exit_code()


def watched(
    look_once: Callable[[], Report], every_s: float, sleep: Callable[[float], None] = time.sleep
) -> Exit:
    """Look again and again until Ctrl-C, which is how it is meant to end; the exit code of the last look."""
    code = Exit.OK
    try:
        while True:
            report = look_once()
            clear_screen()
            show(report)
            tell(f"again every {every_s:g} s; Ctrl-C ends it")
            code = report.exit_code()
            sleep(every_s)
    except KeyboardInterrupt:
        return code
