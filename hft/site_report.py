"""What one look at a site shows: where each host stands, what stands in the record, what needs a person."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checks.baseline import baseline_of
from checks.machine import EMULATED, MachineLoad, too_busy, watch
from hft import run_log
from hft.errors import Exit
from hft.host_status import Answer, Standing, look
from hft.locks import Holder, holder_of
from hft.views.names import fold
from inventory.model import Host, Site
from transport.at_once import at_once
from transport.hint import command
from transport.show import one_line

CHANGING = ("apply", "revert", "recover", "engine deploy", "engine remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The last recorded verdict on a host; `plan_hash` is the plan that it judged."""

    verdict: str
    age_s: int
    plan_hash: str | None
    is_current: bool  # of what stands there now, as far as that is known


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
        if txn is None:
            return None
        known = {x.get("txn") for x in self.history.lines if x.get("event") == "acknowledged"}
        return txn if txn not in known else None

    def wanted(self, standing: Standing) -> str | None:
        """The plan it would get now where that was asked for, else the one last applied from here."""
        return standing.wanted or self.history.applied_plan(standing.host)

    def judged(self, standing: Standing) -> Judged | None:
        """The last recorded verdict on a host, and whether it is about what stands there now.

        One on another plan than the committed one, or from before the last change from here, is not.
        """
        last = self.history.last_of_host(standing.host, "check")
        if last is None:
            return None
        is_current = not standing.reachable or last.get("plan_hash") == standing.committed
        for verb in CHANGING:
            changed = self.history.last_of_host(standing.host, verb)
            if changed is not None and changed.get("result") != "no_change" and changed["at"] > last["at"]:
                is_current = False
        age = self.now - datetime.fromisoformat(last["at"])
        return Judged(
            verdict=str(last.get("verdict", "unknown")),
            age_s=int(age.total_seconds()),
            plan_hash=last.get("plan_hash"),
            is_current=is_current,
        )

    def verdict(self, standing: Standing) -> tuple[str, int] | None:
        """The verdict on what stands on a host now, and its age in seconds."""
        last = self.judged(standing)
        return (last.verdict, last.age_s) if last is not None and last.is_current else None

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
                "judged_plan": judged.plan_hash if (judged := report.judged(standing)) else None,
                "unacknowledged_rollback": report.unacknowledged(standing),
            }
            for standing in report.standings
        ],
    }


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
    return said + [f"{fold(hosts)}: {sentence}" for sentence, hosts in told.items()]


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
