"""`hft clock check` and `hft clock evidence`: look at clocks and judge them; sum up what the looks were.

Each look is a line of the host's own record below `clock/SITE/` of the state root, chained as the run record
is and remembered by the account that wrote it; the hash of its last line goes into the site's run record with
the verdict, so what seals that (`hft audit seal`) seals this.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from checks.clock.evidence import Span, line_of, locked_at, span_of
from checks.clock.facts import ClockFacts, parse_facts
from checks.clock.judge import Known, clock_findings
from checks.clock.leap import TABLE, tai_utc_s
from checks.clock.look import argv, script
from checks.document import document_of
from checks.errors import CheckError
from checks.link import Connection, open_links
from checks.suite import HostResult
from checks.verdict import Verdict, unverifiable
from hft import options, run_log
from hft.errors import Exit
from hft.sites import load, with_a_part
from hft.verbs.check import STYLES, exit_code_of
from inventory.model import Host, Site
from inventory.selection import select, select_one
from inventory.state_dir import state_root
from transport.at_once import at_once
from transport.errors import UnreachableError
from transport.hint import command, enrol
from transport.show import Styled, tell, tell_document

SCHEMA = 1
LOOK_TIMEOUT_S = 60.0
SAMPLES_MOST = 60
VERB = "clock check"
EXIT = {Verdict.OK: Exit.OK, Verdict.VIOLATED: Exit.VIOLATED, Verdict.UNVERIFIABLE: Exit.UNVERIFIABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One host's result, and the line that is kept of it; None where nothing could be read."""

    result: HostResult
    line: dict[str, Any] | None = None


@click.command(
    epilog="""\b
Examples:
  hft clock check                          every host with a part in PTP: one look, five offsets
  hft clock check --limit engine-1 --samples 30
  hft clock check --json | jq '.hosts[].findings[] | select(.verdict != "ok")'

\b
Exit codes: 0 ok, 5 violated, 7 a host did not answer, 4 unverifiable, 2 bad input or nothing to check.
"""
)
@options.INVENTORY
@options.LIMIT
@click.option(
    "--samples",
    type=click.IntRange(1, SAMPLES_MOST),
    default=5,
    show_default=True,
    metavar="COUNT",
    help="Offsets to take, one each second; the worst of them counts.",
)
@options.JSON
def check(inventory: str | None, limit: str | None, samples: int, as_json: bool) -> int:
    """Judge the clocks of hosts: what they follow, how far off, who disagrees, who may set them."""
    site = load(inventory)
    hosts = with_a_part(select(site, limit))
    now_s, table = int(time.time()), _table()
    known = Known(tai_utc_s=None if table is None else tai_utc_s(table, now_s))
    with run_log.recorded(site.name, VERB, hosts=[host.name for host in hosts], is_look=True) as run:
        with open_links(hosts) as links:
            looks = list(at_once(lambda host: _look(site, host, links.get(host.name), samples, known), hosts))
        for one in looks:
            facts = {} if one.line is None else {"digest": keep(site.name, one.line)}
            run.ended(one.result.host, verdict=str(one.result.verdict or "unreachable"), **facts)
        results = [one.result for one in looks]
        run.exit_code = exit_code_of(results)
    if as_json:
        tell_document(document_of(site.name, results, int(run.exit_code)))
    else:
        for result in results:
            _show_result(result)
    return run.exit_code


def _show_result(result: HostResult) -> None:
    """A host's verdict and each finding: what a clock is right by matters as much as what it is wrong by."""
    if result.unreachable is not None:
        tell(Styled("unreachable", "alarm"), f" {result.host}: {result.unreachable}")
        return
    verdict = result.verdict or Verdict.UNVERIFIABLE
    tell(Styled(verdict, STYLES[verdict]), f" {result.host}")
    for one in result.findings:
        word = one.reason or one.verdict
        tell("  ", Styled(f"{word:<24}", STYLES[one.verdict]), f" {one.check}: {one.message}")


def _table() -> str | None:
    try:
        return Path(TABLE).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def _look(site: Site, host: Host, link: Connection | None, samples: int, known: Known) -> Look:
    """One round trip and its verdicts; what a host could not answer is a finding of that host."""
    assert host.ptp is not None, "only hosts with a part in PTP are looked at"
    result = HostResult(host=host.name, started_at=run_log.now())
    if link is None:
        said = f"not enrolled, so nothing was asked; run: {enrol(host.name)}"
        return Look(result=replace(result, findings=(unverifiable("identity", "not_enrolled", said),)))
    begin = time.monotonic()
    try:
        facts = read(link, host.ptp.domain, samples)
    except UnreachableError as error:
        return Look(result=replace(result, unreachable=error.seen))
    except CheckError as error:
        found = unverifiable("clock.daemon", "facts_cut", f"its answer cannot be judged: {error}")
        return Look(result=replace(result, findings=(found,)))
    before = locked_at(run_log.read(site.name, record(site.name, host.name)).lines)
    findings = clock_findings(host.ptp, facts, replace(known, locked_at_utc_ns=before))
    line = line_of(host.name, host.ptp, facts, findings)
    seconds = time.monotonic() - begin
    return Look(result=replace(result, findings=findings, round_trips=link.calls, seconds=seconds), line=line)


def read(link: Connection, domain: int, samples: int) -> ClockFacts:
    """The facts of a host's clock, in one round trip."""
    mark = f"@{secrets.token_hex(8)}"
    words = argv(domain, samples)
    text = link.run(words, stdin=script(mark), timeout_s=LOOK_TIMEOUT_S + 2 * samples, frame=f"{mark} ")
    return parse_facts(text, mark)


def record(site: str, host: str) -> Path:
    """Where the looks at a host's clock are kept."""
    return state_root() / "clock" / site / f"{host}.jsonl"


def keep(site: str, line: dict[str, Any]) -> str:
    """Add one look; the hash of its line."""
    return run_log.append(site, line, record(site, line["host"]))


@click.command(
    epilog="""\b
Examples:
  hft clock evidence engine-1
  hft clock evidence engine-1 --since 2026-12-01 --until 2026-12-02 --json > engine-1.2026-12-01.json

\b
Exit codes: 0 every look was within the limit; 5 one was not, or the record was changed; 4 one could not say,
or there is none; 2 bad input.
"""
)
@click.argument("host", shell_complete=options.HOSTS)
@options.INVENTORY
@click.option("--since", metavar="TIME", type=click.DateTime(), help="UTC; looks from then on.")
@click.option("--until", metavar="TIME", type=click.DateTime(), help="UTC; looks before that.")
@options.JSON
def evidence(host: str, inventory: str | None, since: Any, until: Any, as_json: bool) -> int:
    """Sum up what the looks at the clock of HOST prove: divergence from UTC, traceability, granularity."""
    site = load(inventory)
    chosen = select_one(site, host)
    history = run_log.read(site.name, record(site.name, chosen.name))
    problems = (*history.problems, *_unsealed(site.name, chosen.name, history))
    lines = [line for line in history.lines if _is_in(str(line["at"]), since, until)]
    span = span_of(lines)
    code = Exit.VIOLATED if problems else EXIT[span.verdict]
    if as_json:
        summed = {**dataclasses.asdict(span), "verdict": str(span.verdict)}
        head = {"schema": SCHEMA, "site": site.name, "host": chosen.name, "exit_code": int(code)}
        tell_document({**head, "problems": list(problems), "span": summed, "looks": lines})
    else:
        _show(chosen.name, span, problems)
    return code


def _is_in(at: str, since: Any, until: Any) -> bool:
    """Times of a record are UTC to the second, so they compare as their text does."""
    return (since is None or at >= since.isoformat()) and (until is None or at < until.isoformat())


def _unsealed(site: str, host: str, history: run_log.History) -> Sequence[str]:
    """Looks that the site's run record knows by their hash and that are not in the host's own."""
    there = {line["hash"] for line in history.lines}
    lost = [
        facts["digest"]
        for verb, name, facts in run_log.read(site).ends()
        if verb == VERB
        and name == host
        and isinstance(facts.get("digest"), str)
        and facts["digest"] not in there
    ]
    return [f"{len(lost)} looks of the run record are not here: cut off or rewritten"] if lost else []


def _show(host: str, span: Span, problems: Sequence[str]) -> None:
    for problem in problems:
        tell(f"{host}: the record of its clock: {problem}")
    if not span.looks:
        tell(f"{host}: nobody looked at its clock then; run: {command('clock', 'check', '--limit', host)}")
        return
    tell(f"{host}: {span.looks} looks from {span.first} to {span.last}, the longest gap {span.gap_s:.0f} s")
    tell(f"  within the limit {span.within}, beyond it {span.beyond}, could not say {span.unknown}")
    worst = "never measured" if span.worst_ns is None else f"{span.worst_ns / 1000:.3f} us"
    tell(f"  greatest divergence {worst}, granularity {span.granularity_ns} ns")
    whom = ", ".join(span.grandmasters) or "none"
    tell(f"  grandmasters {whom}; {span.untraceable} looks not traceable to UTC")
