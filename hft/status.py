"""`hft status`: for on-call. Every host at once, a deadline each, dark hosts named, and what to do about
each.

It writes nothing, takes no lock and needs no agent, so it may run while somebody applies and while half the
site is dark. It costs a host one grep; the plan that a host would get now costs a capture and is asked for by
--plan, else the plan last applied from here stands beside the committed one. Exit code: 7 when a host did
not answer (9 when that is the doing of this machine, which emulates it and was too busy), 2 when one is not
the machine that was enrolled, 6 when a rollback has not been acknowledged, else 0.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.baseline import baseline_of
from checks.machine import EMULATED, MachineLoad, too_busy, watch
from deploys.ssh import stop_running
from deploys.text import printable
from hft import records
from hft.errors import Exit
from hft.locks import Holder, holder_of
from hft.standing import Standing, look
from inventory.load import load_site
from inventory.model import Host, Site
from inventory.selection import select

_THREADS_MAX = 256
SILENT_S = 2.0  # a look that may take longer says how it goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one look at a site showed."""

    site: str
    standings: tuple[Standing, ...]
    history: records.History
    holder: Holder | None
    now: datetime
    machine: MachineLoad | None = None  # where this machine emulates the site's hosts

    def unacknowledged(self, standing: Standing) -> str | None:
        """The rolled back transaction nobody has acknowledged yet."""
        txn = standing.rolled_back_txn
        known = {x.get("txn") for x in self.history.lines if x.get("event") == "acknowledged"}
        return txn if txn is not None and txn not in known else None

    def wanted(self, standing: Standing) -> str | None:
        """The plan it would get now where that was asked for, else the one last applied from here."""
        return standing.wanted or self.history.applied_plan(standing.host)

    def verdict(self, standing: Standing) -> tuple[str, int] | None:
        """The last recorded verdict of a host and its age in seconds."""
        last = self.history.last_of_host(standing.host, "check")
        if last is None:
            return None
        age = self.now - datetime.fromisoformat(last["at"])
        return str(last.get("verdict", "unknown")), int(age.total_seconds())

    def not_judged(self, standing: Standing) -> bool:
        """It did not answer in time, and this machine had too little time for its VMs to blame it."""
        return standing.slow and self.machine is not None and too_busy(self.machine, baseline_of(EMULATED))

    def exit_code(self) -> Exit:
        """The worst of what was seen."""
        dark = [standing for standing in self.standings if not standing.reachable]
        if dark:
            return Exit.NOT_JUDGED if all(map(self.not_judged, dark)) else Exit.UNREACHABLE
        if any(not standing.enrolled for standing in self.standings):
            return Exit.BAD_INPUT
        if any(self.unacknowledged(standing) for standing in self.standings):
            return Exit.ROLLED_BACK
        return Exit.OK


def look_at(
    site: Site, hosts: Sequence[Host], deadline_s: float, *, with_plan: bool, say: Callable[[str], None]
) -> Report:
    """Ask all hosts at once, and say of each when its answer comes."""
    began_s, ended = time.monotonic(), _watch(site, hosts)

    def one(host: Host) -> Standing:
        standing = look(site, host, deadline_s, with_plan=with_plan)
        if standing.reachable:
            say(f"{host.name}: answered after {time.monotonic() - began_s:.1f} s")
        return standing

    with ThreadPoolExecutor(max_workers=min(len(hosts), _THREADS_MAX)) as pool:
        try:
            standings = tuple(pool.map(one, hosts))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running()  # Ctrl-C does not wait for a dark host's deadline
            raise
    return Report(
        site=site.name,
        standings=standings,
        history=records.read(site.name),
        holder=holder_of(site.name),
        now=datetime.now(UTC),
        machine=ended(),
    )


def _watch(site: Site, hosts: Sequence[Host]) -> Callable[[], MachineLoad | None]:
    if all(host.host_class != EMULATED for host in hosts):
        return lambda: None
    uuids = [host.identity.dmi_uuid for host in site.hosts if host.identity and host.identity.dmi_uuid]
    return watch(lambda: uuids)


@click.command(
    epilog="""\b
Examples:
  hft status                          every host of the lab
  hft status engine-1 engine-2        two hosts
  hft status --inventory site.toml --json | jq '.hosts[] | select(.reachable | not)'
"""
)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--inventory", metavar="PATH", help="A .py, .toml or .json inventory (default: the lab).")
@click.option(
    "--deadline", type=click.FloatRange(0.1, 600), metavar="SECONDS", help="Per host; default: the site's."
)
@click.option("--plan", "with_plan", is_flag=True, help="Also capture each host and plan it afresh.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def status(
    hosts: tuple[str, ...], inventory: str | None, deadline: float | None, with_plan: bool, as_json: bool
) -> int:
    """Where every host stands: alive, what it booted, its plan, what is unfinished, its last verdict."""
    site = load_site(inventory)
    chosen = select(site, ",".join(hosts) if hosts else None)
    deadline_s = deadline if deadline is not None else site.status_deadline_s

    def say(line: str) -> None:
        if deadline_s > SILENT_S:
            click.echo(line, err=True)

    say(f"asking {len(chosen)} host(s) of {site.name}, at most {deadline_s:g} s")
    report = look_at(site, chosen, deadline_s, with_plan=with_plan, say=say)
    if as_json:
        click.echo(json.dumps(as_document(report), indent=1))
    else:
        _show(report)
    return report.exit_code()


def as_document(report: Report) -> dict[str, Any]:
    """The report as documented JSON."""
    return {
        "schema": 1,
        "site": report.site,
        "held_by": dataclasses.asdict(report.holder) if report.holder else None,
        "record_problems": list(report.history.problems),
        "machine": dataclasses.asdict(report.machine) if report.machine else None,
        "hosts": [
            dataclasses.asdict(standing)
            | {
                "wanted": report.wanted(standing),
                "verdict": verdict[0] if (verdict := report.verdict(standing)) else None,
                "verdict_age_s": verdict[1] if verdict else None,
                "unacknowledged_rollback": report.unacknowledged(standing),
            }
            for standing in report.standings
        ],
    }


def _show(report: Report) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("host", "state", "boot", "entry", "committed", "wanted", "unfinished", "verdict"):
        table.add_column(column, overflow="fold")
    for standing in report.standings:
        table.add_row(*map(Text, _row(report, standing)))  # a host's words are never markup
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"site {report.site}", highlight=False, markup=False)
    console.print(table)
    for sentence in sentences(report):
        console.print(f"! {sentence}", highlight=False, markup=False, soft_wrap=True)


def _row(report: Report, standing: Standing) -> list[str]:
    state = "up" if standing.managed else "up, unmanaged"
    if not standing.reachable:
        state = "not judged" if report.not_judged(standing) else "dark"
    verdict = report.verdict(standing)
    return [
        standing.host,
        state,
        _short(standing.boot_id),
        standing.entry or "-",
        _short(standing.committed),
        _short(report.wanted(standing)),
        standing.unfinished or "-",
        f"{verdict[0]}, {_age(verdict[1])} ago" if verdict else "-",
    ]


def sentences(report: Report) -> list[str]:
    """What needs a person, each with the command for it."""
    said = [f"held by {report.holder.sentence()}"] if report.holder else []
    said += [f"run record: {problem}" for problem in report.history.problems]
    if report.holder is None:
        said += [
            f"run {x['run']} ({x['verb']} by {x['by']}) never closed" for x in report.history.dead_runs()
        ]
    for standing in report.standings:
        said += [f"{standing.host}: {sentence}" for sentence in _sentences_of(report, standing)]
    return said


def _sentences_of(report: Report, standing: Standing) -> list[str]:
    said = [standing.note] if standing.note else []
    if report.machine is not None and report.not_judged(standing):
        said.append(f"that says nothing of the host: {report.machine.sentence()}; run hft status again")
    if standing.unfinished and report.holder is None:
        verb = f"recover {standing.host}" if standing.is_half_undone else f"apply --limit {standing.host}"
        said.append(f"{standing.unfinished}, and nobody is at work; run: hft {verb}")
    if txn := report.unacknowledged(standing):
        rollback = standing.rollback or {}
        who, why = (
            printable(str(rollback.get("brought_back_by", "unknown")), limit=100),
            printable(str(rollback.get("reason", "no reason given")), limit=500),
        )
        said.append(
            f"{txn} was rolled back, brought back by {who}: {why}; "
            f"when understood run: hft host acknowledge {standing.host} --reason TEXT"
        )
    wanted = report.wanted(standing)
    if wanted and standing.committed and wanted != standing.committed:
        said.append(f"runs another plan than the one wanted; run: hft plan --host {standing.host}")
    return said


def _short(value: str | None) -> str:
    return value[:8] if value else "-"


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"
