"""`hft check`: prove by effect that hosts meet their plan.

The verb joins what `checks` may not know: the run record (which plan was applied from here last), the state
directory and the exit codes. It changes nothing on a host. Exit codes: 5 violated, 7 unreachable, 4
unverifiable, 9 not judged because this machine was too busy to run its VMs, else 0; the worst of all hosts
wins in that order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from checks import store
from checks.document import document_of, host_document, junit_of
from checks.errors import SelectionError
from checks.page import page_of
from checks.suite import HostResult, Options, check_hosts, given_plans, targets
from checks.verdict import Verdict
from hft import records
from hft.errors import Exit, HftError
from inventory.load import load_site
from inventory.model import Host, Site
from inventory.selection import select

STYLES = {
    Verdict.OK: "green",
    Verdict.VIOLATED: "bold red",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.UNVERIFIABLE: "yellow",
}


@click.command(
    epilog="""\b
Examples:
  hft check                                   every host with a profile, config and effect
  hft check --limit engine-1 --html report.html
  hft check --config-only --json | jq '.hosts[].verdict'
  hft check --limit engine-1 --plan engine-1.json    an untuned host: counters now, to compare with later

\b
Exit codes: 0 ok, 5 violated, 7 a host did not answer, 4 unverifiable, 2 bad input or nothing to check,
9 could not be judged: this machine was too busy with other work to run its VMs.
Plain pytest works too: pytest checks --inventory inventory/lab.py
"""
)
@click.option("--inventory", metavar="PATH", help="A .py, .toml or .json inventory (default: the lab).")
@click.option("--limit", metavar="HOSTS", help="Host names and patterns, by commas.")
@click.option(
    "--plan", metavar="FILE|DIR", type=click.Path(path_type=Path), help="The plan a host must have committed."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="JUnit XML for CI."
)
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="A report in one file."
)
@click.option("--config-only", is_flag=True, help="Read only, no load on any CPU.")
@click.option("--effect-only", is_flag=True, help="Measure only.")
@click.option(
    "--drained", is_flag=True, help="The hosts trade nothing: load every CPU that no engine task sits on."
)
@click.option("--window", type=click.FloatRange(1, 3600), default=20.0, show_default=True, metavar="SECONDS")
def check(  # noqa: PLR0913, PLR0917  # one parameter per option
    inventory: str | None,
    limit: str | None,
    plan: Path | None,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    config_only: bool,
    effect_only: bool,
    drained: bool,
    window: float,
) -> int:
    """Prove by effect that hosts meet their plan."""
    site = load_site(inventory)
    results = _run(site, limit, plan, (not effect_only, not config_only, drained, window))
    code = exit_code_of(results)
    if junit is not None:
        _write(junit, junit_of(site.name, results))
    if html is not None:
        _write(html, page_of(site.name, results))
        click.echo(f"report: {html.resolve()}", err=True)
    if as_json:
        click.echo(json.dumps(document_of(site.name, results, int(code)), indent=1))
    else:
        show(results)
    return code


def _run(
    site: Site, limit: str | None, plan: Path | None, how: tuple[bool, bool, bool, float]
) -> tuple[HostResult, ...]:
    config, effect, drained, window_s = how
    try:
        chosen = targets(select(site, limit))
        wanted = given_plans(plan, chosen)
        options = Options(
            config=config,
            effect=effect,
            drained=drained,
            window_s=window_s,
            cache=store.meter_cache(),
            wanted=wanted,
            recorded=recorded_plans(site.name, chosen),
            releases=recorded_releases(site.name),
            untuned={h.name: found for h in chosen if (found := store.load_untuned(site.name, h.name))},
        )
        with records.recorded(site.name, "check", hosts=[host.name for host in chosen]) as run:
            results = check_hosts(site, chosen, options, lambda line: click.echo(line, err=True))
            run.exit_code = exit_code_of(results)
            for result in results:
                run.host(result.host, verdict=result.verdict or "unreachable", plan_hash=_hash_of(result))
    except SelectionError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error
    remember(site.name, results)
    return results


def _hash_of(result: HostResult) -> str | None:
    return result.expected.plan_hash if result.expected else None


def remember(site: str, results: Sequence[HostResult]) -> None:
    """Keep the verdicts for on-call, and counters of an untuned host for later comparison."""
    for result in results:
        store.save(site, result.host, host_document(result))
        if result.measurement is not None and result.measurement.document.get("cpus") and not result.tuned:
            store.save_untuned(site, result.host, result.measurement)


def recorded_plans(site: str, hosts: Sequence[Host]) -> dict[str, str]:
    """The plan hash that the last committed apply from here recorded, per host."""
    history = records.read(site)
    found = {host.name: history.applied_plan(host.name) for host in hosts}
    return {name: plan for name, plan in found.items() if plan is not None}


def recorded_releases(site: str) -> dict[str, dict[str, str]]:
    """Host -> slot -> digest that `hft engine deploy` recorded here last; removal forgets a slot."""
    found: dict[str, dict[str, str]] = {}
    for line in records.read(site).lines:
        if line.get("event") != "closed":
            continue
        for name, facts in line.get("hosts", {}).items():
            if line.get("verb") == "engine remove":
                found.get(name, {}).pop(facts.get("slot"), None)
            elif line.get("verb") == "engine deploy" and facts.get("result") in ("applied", "no_change"):
                found.setdefault(name, {})[facts["slot"]] = facts["digest"]
    return found


def exit_code_of(results: Sequence[HostResult]) -> Exit:
    """The worst of all hosts; no result at all is bad input."""
    if not results:
        return Exit.BAD_INPUT
    verdicts = {result.verdict for result in results}
    if Verdict.VIOLATED in verdicts:
        return Exit.VIOLATED
    if None in verdicts:
        return Exit.UNREACHABLE
    if Verdict.UNVERIFIABLE in verdicts:
        return Exit.NOT_JUDGED if _only_busy(results) else Exit.UNVERIFIABLE
    return Exit.OK


def _only_busy(results: Sequence[HostResult]) -> bool:
    """Nothing but the load of the machine that emulates the hosts stands between them and a verdict."""
    open_reasons = {
        finding.reason
        for result in results
        for finding in result.findings
        if finding.verdict is Verdict.UNVERIFIABLE
    }
    return open_reasons == {"machine_busy"}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot write it: {error.strerror}") from error


def show(results: Sequence[HostResult]) -> None:
    """Verdict per host, and every finding that is not a pass."""
    console = Console()
    for result in results:
        if result.unreachable is not None:
            console.print(f"[bold red]unreachable[/] {result.host}: ", end="")
            console.print(result.unreachable, markup=False)
            continue
        verdict = result.verdict or Verdict.UNVERIFIABLE
        counts = _counts(result)
        plan = (_hash_of(result) or "no plan")[:12]
        head = f"{result.host}  plan {plan}  kernel {result.kernel}  {result.round_trips} round trips"
        text = f"[{STYLES[verdict]}]{verdict}[/] {head}, {result.seconds:.0f} s: {counts}"
        console.print(text, soft_wrap=True, highlight=False)
        _show_open(console, result)
        _show_counters(console, result)


def _counts(result: HostResult) -> str:
    seen: Mapping[Verdict, int] = {
        verdict: sum(finding.verdict is verdict for finding in result.findings) for verdict in Verdict
    }
    return ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in seen.items() if count)


def _show_open(console: Console, result: HostResult) -> None:
    for finding in result.findings:
        if finding.verdict in (Verdict.VIOLATED, Verdict.UNVERIFIABLE):
            console.print(f"  [{STYLES[finding.verdict]}]{finding.reason:<22}[/] {finding.check}: ", end="")
            console.print(click.unstyle(finding.message), markup=False, highlight=False, soft_wrap=True)


def _show_counters(console: Console, result: HostResult) -> None:
    from checks.document import counters

    now, before = counters(result.measurement), counters(result.untuned)
    if now is None:
        return
    table = Table(
        title=f"{result.host}, {now['window_s']:.0f} s window", title_justify="left", pad_edge=False, box=None
    )
    for name in ("CPU", "work", "timer before", "timer now", "device", "other", "taken off", "longest pause"):
        table.add_column(name, justify="left" if name == "work" else "right")
    old = {one["cpu"]: one["interrupts"]["LOC"] for one in before["cpus"]} if before else {}
    for one in now["cpus"]:
        other = sum(count for row, count in one["interrupts"].items() if row != "LOC")
        pause = "-" if one["gap_max_us"] is None else f"{one['gap_max_us']:.0f} us"
        cells = [one["cpu"], one["mode"], old.get(one["cpu"], "-"), one["interrupts"]["LOC"]]
        cells += [sum(one["devices"].values()), other, one["involuntary_switches"], pause]
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)
