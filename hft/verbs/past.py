"""`hft history`, `hft show` and `hft diff`: what was done here, from the run record; no host is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import click

from checks import store
from hft import options, run_log
from hft.errors import Exit
from hft.past import Difference, PastRun, differences, facts_differ, run_named, runs_of
from hft.plan_store import kept, values_of
from hft.sites import load
from hft.views.rows import Form, show_rows
from inventory.errors import InventoryError, StateError
from inventory.model import Site
from inventory.selection import select_one
from transport.hint import command
from transport.show import tell, tell_document
from tuning.strict_json import ShapeError, Table, parse

COMPARED = ("verdict", "kernel", "committed", "isolated")


@click.command(
    epilog="""\b
Examples:
  hft history                      the last 20 runs of the site, the newest first
  hft history engine-1 -n 5        the last five that were about engine-1, and how it ended in each
  hft history --format csv >runs.csv
"""
)
@click.argument("host", metavar="[HOST]", required=False, shell_complete=options.HOSTS)
@options.INVENTORY
@click.option("-n", "--last", type=click.IntRange(1, 100_000), default=20, show_default=True, metavar="COUNT")
@options.FORMAT
@options.JSON
def history(host: str | None, inventory: str | None, last: int, form: Form, as_json: bool) -> int:
    """What was done here, by whom, why and how it ended; with HOST what was done to it."""
    site = load(inventory)
    if host is not None:
        select_one(site, host)
    found = [run for run in _runs(site) if host is None or host in {*run.hosts, *run.ends}]
    shown = found[-last:][::-1]
    if as_json or form == "json":
        document = [dataclasses.asdict(run) for run in shown]
        tell_document({"schema": 1, "site": site.name, "runs": document, "left_off": len(found) - len(shown)})
        return Exit.OK
    show_rows(("run", "verb", "by", "hosts", "ended", "reason"), [_row(run, host) for run in shown], form)
    if form == "table":
        about = f" about {host}" if host else ""
        tell(f"{len(shown)} of {len(found)} run(s){about}; one of them: {command('show', 'RUN')}")
    return Exit.OK


def _row(run: PastRun, host: str | None) -> tuple[str, ...]:
    names = list(dict.fromkeys((*run.hosts, *run.ends)))
    hosts = ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} more"
    ended = run.ended if host is None else f"{run.end_of(host)} ({run.ended})"
    return run.run, run.verb, run.by, hosts or "-", ended, run.reason or "-"


@click.command(
    epilog="""\b
Examples:
  hft show last                     the newest run
  hft show 20261201T0312            the one whose name begins so
  hft show last --json | jq '.ends'
"""
)
@click.argument("run")
@options.INVENTORY
@options.FORMAT
@options.JSON
def show(run: str, inventory: str | None, form: Form, as_json: bool) -> int:
    """One run: who, when, why, and how each of its hosts ended."""
    site = load(inventory)
    found = run_named(_runs(site), run)
    if as_json or form == "json":
        tell_document({"schema": 1, "site": site.name, **dataclasses.asdict(found)})
        return Exit.OK
    if form == "table":
        code = "" if found.exit_code is None else f" (exit code {found.exit_code})"
        tell(f"{found.run}: hft {found.verb} by {found.by}")
        tell(f"from {found.opened_at} to {found.closed_at or '?'}: {found.ended}{code}")
        for name, text in (("reason", found.reason), ("message", found.message)):
            if text:
                tell(f"{name}: {text}")
    rows = [_end_row(found, host) for host in dict.fromkeys((*found.hosts, *found.ends))]
    show_rows(("host", "ended", "plan", "transaction", "more"), rows, form)
    if form == "table" and found.closed_at is None:
        tell(f"it never closed; how its hosts stand: {command('status', *found.hosts)}")
    return Exit.OK


def _end_row(run: PastRun, host: str) -> tuple[str, ...]:
    facts = run.ends.get(host, {})
    known = ("result", "verdict", "plan_hash", "txn")
    more = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in known and value)
    plan, txn = run.plan_of(host), facts.get("txn")
    return host, run.end_of(host), (plan or "-")[:12], str(txn or "-"), more or "-"


@click.command(
    epilog="""\b
Examples:
  hft diff 20261130T18 last         what the hosts of two runs ended with, where it differs
  hft diff engine-1 engine-2        what was applied to two hosts, and how they were judged
"""
)
@click.argument("first", metavar="RUN|HOST", shell_complete=options.HOSTS)
@click.argument("second", metavar="RUN|HOST", shell_complete=options.HOSTS)
@options.INVENTORY
@options.FORMAT
@options.JSON
def diff(first: str, second: str, inventory: str | None, form: Form, as_json: bool) -> int:
    """How two runs, or two hosts, differ: results, verdicts, and the settings of their plans."""
    site = load(inventory)
    names = {host.name for host in site.hosts}
    if first in names and second in names:
        sides, found = (first, second), _hosts_differ(site, first, second)
    elif first in names or second in names:
        run_named(_runs(site), second if first in names else first)  # says so where there is none
        raise InventoryError(f"{first} and {second}: one is a host and one is a run; name two of a kind")
    else:
        runs = _runs(site)
        one, other = run_named(runs, first), run_named(runs, second)
        sides, found = (one.run, other.run), with_settings(differences(one, other))
    if as_json or form == "json":
        document = [dataclasses.asdict(one) for one in found]
        tell_document({"schema": 1, "site": site.name, "sides": sides, "differences": document})
        return Exit.OK
    rows = [(one.host, one.name, one.before or "-", one.after or "-") for one in found]
    if rows or form == "csv":
        show_rows(("host", "what", *sides), rows, form)
    if form == "table":
        tell(f"{len(rows)} difference(s)")
    return Exit.OK


def with_settings(found: Sequence[Difference]) -> list[Difference]:
    """The same, and behind two plans the settings in which they differ, where both plans are kept here."""
    told: list[Difference] = []
    for one in found:
        told.append(one)
        if one.name == "plan_hash":
            told += _settings(one.host, one.before, one.after)
    return told


def _settings(host: str, before: str | None, after: str | None) -> list[Difference]:
    old, new = kept(before), kept(after)
    if old is None or new is None:
        return []
    return facts_differ(host, values_of(old), values_of(new))


def _hosts_differ(site: Site, first: str, second: str) -> list[Difference]:
    past = run_log.read_to_look(site.name)
    between = f"{first}, {second}"
    sides = [{"plan_hash": past.applied_plan(name)} | _judged(site.name, name) for name in (first, second)]
    return with_settings(facts_differ(between, *sides))


def _judged(site: str, host: str) -> dict[str, Any]:
    """The last verdict on a host and what was not as planned, by check; nothing where none is kept."""
    try:
        document = Table.of(parse(store.read(site, host), size_max=store.SIZE_MAX)).fields
    except (OSError, StateError, ShapeError):
        return {}
    found = {name: document.get(name) for name in COMPARED}
    findings = document.get("findings")
    for finding in findings if isinstance(findings, list) else ():
        if isinstance(finding, dict) and finding.get("verdict") in ("violated", "unverifiable"):
            found[f"check {finding.get('check')}"] = f"{finding.get('verdict')}: {finding.get('reason')}"
    return found


def _runs(site: Site) -> list[PastRun]:
    past = run_log.read_to_look(site.name)
    for problem in past.problems:
        tell(f"hft: run record: {problem}", err=True)
    return runs_of(past.lines)
