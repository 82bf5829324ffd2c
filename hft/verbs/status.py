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

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from checks.baseline import baseline_of
from checks.machine import EMULATED, MachineLoad, too_busy, watch
from hft import options, run_log
from hft.errors import Exit
from hft.host_status import Answer, Standing, look
from hft.locks import Holder, holder_of
from hft.sites import load
from hft.views.table import show_table
from inventory.model import Host, Site
from inventory.selection import select
from transport.at_once import at_once
from transport.hint import command
from transport.show import one_line, tell, tell_document

NAMED_MOST = 3
CHANGING = ("apply", "revert", "recover", "engine deploy", "engine remove")
SILENT_S = 2.0  # a look that may take longer says how it goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one look at a site showed."""

    site: str
    standings: tuple[Standing, ...]
    history: run_log.History
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
        """The last recorded verdict on what stands on a host now, and its age in seconds.

        One on another plan than the committed one, or from before the last change from here, says nothing.
        """
        last = self.history.last_of_host(standing.host, "check")
        if last is None or (standing.reachable and last.get("plan_hash") != standing.committed):
            return None
        for verb in CHANGING:
            changed = self.history.last_of_host(standing.host, verb)
            if changed is not None and changed.get("result") != "no_change" and changed["at"] > last["at"]:
                return None
        age = self.now - datetime.fromisoformat(last["at"])
        return str(last.get("verdict", "unknown")), int(age.total_seconds())

    def not_judged(self, standing: Standing) -> bool:
        """It did not answer in time, and this machine had too little time for its VMs to blame it."""
        return standing.slow and self.machine is not None and too_busy(self.machine, baseline_of(EMULATED))

    def exit_code(self) -> Exit:
        """The worst of what was seen; a host that nobody enrolled was not asked, so it is not missing.

        An undo that goes on while somebody is at work, here or on the host, is no half undone host yet.
        """
        if self.holder is None and any(one.is_half_undone and not one.busy for one in self.standings):
            return Exit.HALF_UNDONE
        missing = [one for one in self.standings if one.enrolled and not one.reachable]
        if missing:
            return Exit.NOT_JUDGED if all(map(self.not_judged, missing)) else Exit.UNREACHABLE
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
        try:
            standing = look(site, host, deadline_s, with_plan=with_plan)
        except Exception as error:  # whatever one host answers, the others are shown
            note = f"its answer cannot be read ({type(error).__name__}: {error})"
            standing = Standing(host=host.name, answer=Answer.NO_LOOK, note=one_line(note)[:300])
        if standing.reachable:
            say(f"{host.name}: answered after {time.monotonic() - began_s:.1f} s")
        return standing

    standings = tuple(at_once(one, hosts))
    return Report(
        site=site.name,
        standings=standings,
        history=run_log.read_to_look(site.name),
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
@options.INVENTORY
@click.option(
    "--deadline",
    type=options.Seconds(0.1, 600),
    metavar="SECONDS",
    help="Of each host, to log in and again to answer; default: the site's.",
)
@click.option("--plan", "with_plan", is_flag=True, help="Also capture each host and plan it afresh.")
@options.JSON
def status(
    hosts: tuple[str, ...], inventory: str | None, deadline: float | None, with_plan: bool, as_json: bool
) -> int:
    """Where every host stands: alive, what it booted, its plan, what is unfinished, its last verdict."""
    site = load(inventory)
    chosen = select(site, ",".join(hosts) if hosts else None)
    deadline_s = deadline if deadline is not None else site.status_deadline_s

    def say(line: str) -> None:
        if deadline_s > SILENT_S:
            tell(line, err=True)

    say(f"asking {len(chosen)} host(s) of {site.name}, at most {deadline_s:g} s for each login and answer")
    report = look_at(site, chosen, deadline_s, with_plan=with_plan, say=say)
    if as_json:
        tell_document(as_document(report))
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
                "reachable": standing.reachable,
                "slow": standing.slow,
                "wanted": report.wanted(standing),
                "verdict": verdict[0] if (verdict := report.verdict(standing)) else None,
                "verdict_age_s": verdict[1] if verdict else None,
                "unacknowledged_rollback": report.unacknowledged(standing),
            }
            for standing in report.standings
        ],
    }


FOLD_MIN = 20  # hosts; below that each has a row of its own
STATES = {
    Answer.ANSWERED: "up",
    Answer.BUSY: "up, busy",
    Answer.LATE: "no answer yet",
    Answer.CONNECTED: "no answer yet",
    Answer.SILENT: "dark",
    Answer.REFUSED: "dark",
    Answer.NO_LOOK: "cannot look",
    Answer.NOT_ASKED: "not enrolled",
}
HEAD = ("host", "state", "boot", "entry", "committed", "wanted", "unfinished", "verdict")


def _show(report: Report) -> None:
    tell(f"site {report.site}")
    rows = [_row(report, standing) for standing in report.standings]
    show_table(HEAD, _folded(rows) if len(rows) >= FOLD_MIN else rows)
    if len(rows) > 1:
        seen = Counter(row[1] for row in rows)
        tell(f"{len(rows)} hosts: {', '.join(f'{count} {state}' for state, count in seen.items())}")
    for sentence in sentences(report):
        tell(f"! {sentence}")  # never broken by us: the command in it is to be copied


def _folded(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Hosts that stand alike on one row; each has a boot of its own."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for host, state, _, *rest in rows:
        groups.setdefault((state, *rest), []).append(host)
    boots = {row[0]: row[2] for row in rows}
    return [
        (_named(hosts), state, boots[hosts[0]] if len(hosts) == 1 else "-", *rest)
        for (state, *rest), hosts in groups.items()
    ]


def _named(hosts: Sequence[str]) -> str:
    """The names of hosts that stand alike, shortened where they are many; --json has them all."""
    if len(hosts) <= NAMED_MOST:
        return ", ".join(hosts)
    return f"{len(hosts)} hosts ({hosts[0]} ... {hosts[-1]})"


def _row(report: Report, standing: Standing) -> list[str]:
    verdict = report.verdict(standing)
    return [
        standing.host,
        _state(report, standing),
        _short(standing.boot_id),
        standing.entry or "-",
        _short(standing.committed),
        _short(report.wanted(standing)),
        standing.unfinished or "-",
        f"{verdict[0]}, {_age(verdict[1])} ago" if verdict else "-",
    ]


def _state(report: Report, standing: Standing) -> str:
    if standing.reachable and not standing.managed:
        return "up, unmanaged" if standing.enrolled else "another machine"
    return "not judged" if report.not_judged(standing) else STATES[standing.answer]


def sentences(report: Report) -> list[str]:
    """What needs a person, each with the command for it."""
    said = [f"held by {report.holder.sentence()}"] if report.holder else []
    said += [f"run record: {problem}" for problem in report.history.problems]
    if report.holder is None:
        said += [
            f"run {x['run']} ({x['verb']} by {x['by']}) never closed; its hosts say how they stand: "
            f"{command('status', *map(str, x.get('hosts') or ()))}; the next such run takes this line away"
            for x in report.history.dead_runs()
        ]
    told: dict[str, list[str]] = {}
    for standing in report.standings:
        for sentence in _sentences_of(report, standing):
            told.setdefault(sentence, []).append(standing.host)
    return said + [f"{_named(hosts)}: {sentence}" for sentence, hosts in told.items()]


def _sentences_of(report: Report, standing: Standing) -> list[str]:
    said = [standing.note] if standing.note else []
    if report.machine is not None and report.not_judged(standing):
        again = command("status", standing.host)
        said.append(f"that says nothing of the host: {report.machine.sentence()}; run again: {again}")
    elif standing.answer in (Answer.LATE, Answer.CONNECTED):
        held = ", and somebody is at work on the site" if report.holder else ""
        again = command("status", standing.host, "--deadline", "30")
        said.append(f"slow is not dark{held}; give it more time: {again}")
    if standing.busy:
        said.append(f"its lock is held by {standing.busy}, so it refuses another change until that has ended")
    elif standing.unfinished and report.holder is None:
        words = ("recover",) if standing.is_half_undone else ("apply", "--limit")
        way = command(*words, standing.host)
        said.append(f"{standing.unfinished}, and nobody is at work; run: {way}")
    if txn := report.unacknowledged(standing):
        rollback = standing.rollback or {}
        who, why = rollback.get("brought_back_by", "unknown"), rollback.get("reason", "no reason given")
        way = command("host", "acknowledge", standing.host, "--reason", "TEXT")
        said.append(
            f"{txn} was rolled back, brought back by {one_line(str(who))[:100]}: {one_line(str(why))[:500]}; "
            f"when understood run: {way}"
        )
    wanted = report.wanted(standing)
    if wanted and standing.committed and wanted != standing.committed:
        way = command("plan", "--host", standing.host)
        said.append(f"runs another plan than the one wanted; run: {way}")
    return said


def _short(value: str | None) -> str:
    return value[:8] if value else "-"


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"
