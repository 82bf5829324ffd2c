"""`hft check`: prove by effect that hosts meet their plan.

The verb joins what `checks` may not know: the run record (which plan was applied from here last), the state
directory and the exit codes. It changes nothing on a host. Exit codes: 5 violated, 7 unreachable, 4
unverifiable, 9 not judged because this machine was too busy to run its VMs, else 0; the worst of all hosts
wins in that order. 130 is an interrupt: what was judged by then is told, reported and on record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import click

from checks import store
from checks.accepted import Kept, Key
from checks.counters import Measurement
from checks.document import counters, document_of, host_document, junit_of
from checks.errors import SelectionError
from checks.page import page_of
from checks.suite import HostResult, Options, check_hosts, given_plans, targets
from checks.verdict import Finding, Verdict, unverifiable, worst
from hft import forges, options, run_log
from hft.errors import Exit, HftError
from hft.files import Report
from hft.forges import annotations_of, inventory_text
from hft.sites import chosen, load
from hft.views.table import show_table
from inventory.errors import StateError
from inventory.model import Host, Site
from inventory.selection import select
from transport.hint import command
from transport.show import Style, Styled, tell, tell_document

MESSAGE_MAX = 500
GOOD_DEPLOY = ("applied", "no_change")
STYLES: dict[Verdict, Style] = {
    Verdict.OK: "green",
    Verdict.VIOLATED: "alarm",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.UNVERIFIABLE: "yellow",
}


@click.command(
    epilog="""\b
Examples:
  hft check                                   every host with a profile, config and effect
  hft check --limit engine-1 --html report.html
  hft check --github --gitlab quality.json    findings beside a change, as GitHub and GitLab show them
  hft check --config-only --json | jq '.hosts[].verdict'
  hft check --limit engine-1 --plan engine-1.json    an untuned host: counters now, to compare with later

\b
Exit codes: 0 ok, 5 violated, 7 a host did not answer, 4 unverifiable, 2 bad input or nothing to check,
9 could not be judged: this machine was too busy with other work to run its VMs, 130 interrupted: what was
judged by then is told all the same.
Plain pytest works too: pytest checks --inventory inventory/lab.py
"""
)
@options.INVENTORY
@options.LIMIT
@click.option(
    "--plan", metavar="FILE|DIR", type=click.Path(path_type=Path), help="The plan a host must have committed."
)
@options.JSON
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="JUnit XML for CI."
)
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="A report in one file."
)
@click.option("--github", is_flag=True, help="Annotations of GitHub Actions, on standard error.")
@click.option(
    "--gitlab", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="GitLab code quality."
)
@click.option("--config-only", is_flag=True, help="Read only, no load on any CPU.")
@click.option("--effect-only", is_flag=True, help="Measure only.")
@click.option(
    "--drained", is_flag=True, help="The hosts trade nothing: load every CPU that no engine task sits on."
)
@click.option("--window", type=options.Seconds(1, 3600), default=20.0, show_default=True, metavar="SECONDS")
def check(  # noqa: PLR0913, PLR0917  # one parameter per option
    inventory: str | None,
    limit: str | None,
    plan: Path | None,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    github: bool,
    gitlab: Path | None,
    config_only: bool,
    effect_only: bool,
    drained: bool,
    window: float,
) -> int:
    """Prove by effect that hosts meet their plan."""
    site = load(inventory)
    how = Options(
        config=not effect_only,
        effect=not config_only,
        drained=drained,
        window_s=window,
        cache=store.meter_cache(),
    )
    with ExitStack() as opened:
        files = {
            name: opened.enter_context(Report(path))
            for name, path in (("junit", junit), ("html", html), ("gitlab", gitlab))
            if path is not None
        }
        results, is_cut = _run(site, limit, plan, how)
        code = Exit.INTERRUPTED if is_cut else exit_code_of(results)
        if as_json:
            tell_document(document_of(site.name, results, int(code)))
        else:
            show(results)
        path = chosen(inventory).path
        shown = annotations_of(results, str(path or site.name), inventory_text(path))
        for line in forges.github(shown) if github else ():
            tell(line, err=True)
        about = {
            "hft": version("hft-infra"),
            "inventory": str(path or "the lab"),
            "by": run_log.operator(),
            "window": f"{window:g} s" if how.effect else "not measured",
        }
        texts = {
            "junit": lambda: junit_of(site.name, results),
            "html": lambda: page_of(site.name, results, about),
            "gitlab": lambda: forges.gitlab(shown),
        }
        code = _reported(code, {files[name]: texts[name] for name in files})
        if is_cut:
            raise KeyboardInterrupt  # everything that is known is told: now it ends as any interrupt does
        return code


def _reported(code: Exit, reports: Mapping[Report, Callable[[], str]]) -> Exit:
    """Write the reports; one that fails is said, and hides no verdict."""
    for report, text in reports.items():
        try:
            report.write(text())
        except HftError as error:
            tell(f"hft: {error}", err=True)
            code = code or error.exit_code
        else:
            tell(f"report: {report.path.absolute()}", err=True)
    return code


def _run(site: Site, limit: str | None, plan: Path | None, how: Options) -> tuple[Sequence[HostResult], bool]:
    """The result of each host, and whether an interrupt came before all were judged."""
    try:
        chosen = targets(select(site, limit))
        history = run_log.read_to_look(site.name)
        for problem in history.problems:
            tell(f"hft: run record: {problem}", err=True)
        judged = replace(
            how,
            wanted=given_plans(plan, chosen),
            recorded=recorded_plans(history, chosen),
            releases=recorded_releases(history),
            untuned={h.name: found for h in chosen if (found := store.load_untuned(site.name, h.name))},
            accepted={
                h.name: kept for h in chosen if (kept := store.load_window(site.name, h.name, "accepted"))
            },
        )
        names = [host.name for host in chosen]
        with run_log.recorded(site.name, "check", hosts=names, is_look=True) as run:
            came = Came(site=site.name, run=run)
            try:
                results = check_hosts(site, chosen, judged, lambda line: tell(line, err=True), came.add)
            except KeyboardInterrupt:
                left = [name for name in names if name not in came.results]
                run.exit_code = Exit.INTERRUPTED
                run.message = (
                    f"interrupted; not judged: {', '.join(left)}"[:MESSAGE_MAX] if left else "interrupted"
                )
                return [came.results.get(name) or not_judged(name) for name in names], True
            run.exit_code = exit_code_of(results)
    except SelectionError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error
    return results, False


@dataclass(slots=True, kw_only=True)
class Came:
    """The results so far: each is on record and kept for on-call as it comes, whatever its neighbours do."""

    site: str
    run: run_log.Run
    results: dict[str, HostResult] = field(default_factory=dict)
    turn: Lock = field(default_factory=Lock)

    def add(self, result: HostResult) -> None:
        """Any thread may; they wait for each other."""
        with self.turn:
            self.results[result.host] = result
            verdict = result.verdict or "unreachable"
            remember(self.site, [result])
            self.run.ended(result.host, verdict=verdict, plan_hash=_hash_of(result))


def not_judged(name: str) -> HostResult:
    """The result of a host of which an interrupted run knows nothing."""
    said = "not judged: the run was interrupted before this host was through"
    finding = unverifiable("run", "not_read", said)
    return HostResult(host=name, started_at=run_log.now(), findings=(finding,))


def _hash_of(result: HostResult) -> str | None:
    return result.expected.plan_hash if result.expected else None


def remember(site: str, results: Sequence[HostResult]) -> None:
    """Keep the verdicts for on-call, and counters of an untuned host for later comparison.

    A verdict that cannot be kept is a verdict all the same.
    """
    for result in results:
        try:
            store.save(site, result.host, host_document(result))
            if result.measurement is not None and result.measurement.cpus and not result.tuned:
                store.save_untuned(site, result.host, result.measurement)
            if result.tuned and result.key and result.measurement is not None and result.measurement.cpus:
                store.save_window(
                    site, result.host, "tuned", kept_window(result, result.key, result.measurement)
                )
        except (OSError, StateError) as error:
            tell(f"hft: {result.host}: its verdict is not kept for later: {error}", err=True)


def kept_window(result: HostResult, key: Key, measurement: Measurement) -> Kept:
    """The window of a tuned host as it is kept: with the verdict of its effect, not of its settings."""
    effect = worst(one for one in result.findings if one.check.startswith("effect."))
    return Kept(key=key, measurement=measurement, at=result.started_at, verdict=str(effect or "unverifiable"))


def recorded_plans(history: run_log.History, hosts: Sequence[Host]) -> dict[str, str]:
    """The plan hash that the last committed apply from here recorded, per host."""
    found = {host.name: history.applied_plan(host.name) for host in hosts}
    return {name: plan for name, plan in found.items() if plan is not None}


def recorded_releases(history: run_log.History) -> dict[str, dict[str, str]]:
    """Host -> slot -> digest that `hft engine deploy` recorded here last; removal forgets a slot."""
    found: dict[str, dict[str, str]] = {}
    for verb, name, facts in reversed(list(history.ends())):
        slot, digest = facts.get("slot"), facts.get("digest")
        if not isinstance(slot, str):
            continue
        if verb == "engine remove" and facts.get("result") == "applied":
            found.get(name, {}).pop(slot, None)
        elif verb == "engine deploy" and isinstance(digest, str) and facts.get("result") in GOOD_DEPLOY:
            found.setdefault(name, {})[slot] = digest
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


def show(results: Sequence[HostResult]) -> None:
    """Verdict per host, every finding that is not a pass once for all hosts that share it, and a sum."""
    for alike in _alike(results):
        for result in alike:
            _show_head(result)
        if len(alike) > 1 and _open(alike[0]):
            tell(f"  the same on each of these {len(alike)} hosts:")
        for finding in _open(alike[0]):
            tell(
                "  ",
                Styled(f"{finding.reason:<22}", STYLES[finding.verdict]),
                f" {finding.check}: {finding.message}",
            )
        for result in alike:
            _show_counters(result)
    reasons = [finding.reason for result in results for finding in _open(result) if finding.reason]
    if reasons:
        tell(f"what such a word means, and what to do about it: {command('explain', reasons[0])}")
    if len(results) > 1:
        seen = Counter(str(result.verdict or "unreachable").replace("_", " ") for result in results)
        tell(f"{len(results)} hosts: {', '.join(f'{count} {verdict}' for verdict, count in seen.items())}")


def _alike(results: Sequence[HostResult]) -> Iterable[Sequence[HostResult]]:
    groups: dict[object, list[HostResult]] = {}
    for result in results:
        shown = tuple((one.reason, one.check, one.message) for one in _open(result))
        groups.setdefault((result.verdict, shown) if shown else result.host, []).append(result)
    return groups.values()


def _open(result: HostResult) -> tuple[Finding, ...]:
    return tuple(one for one in result.findings if one.verdict in (Verdict.VIOLATED, Verdict.UNVERIFIABLE))


def _show_head(result: HostResult) -> None:
    if result.unreachable is not None:
        tell(Styled("unreachable", "alarm"), f" {result.host}: {result.unreachable}")
        return
    verdict = result.verdict or Verdict.UNVERIFIABLE
    plan = (_hash_of(result) or "no plan")[:12]
    head = f"{result.host}  plan {plan}  kernel {result.kernel or '-'}  {result.round_trips} round trips"
    tell(Styled(verdict, STYLES[verdict]), f" {head}, {result.seconds:.0f} s: {_counts(result)}")


def _counts(result: HostResult) -> str:
    seen: Mapping[Verdict, int] = {
        verdict: sum(finding.verdict is verdict for finding in result.findings) for verdict in Verdict
    }
    return ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in seen.items() if count)


def _show_counters(result: HostResult) -> None:
    now, before = counters(result.measurement), counters(result.untuned)
    if now is None:
        return
    head = ("CPU", "work", "timer before", "timer now", "device", "other", "taken off", "longest pause")
    old = {one["cpu"]: one["interrupts"]["LOC"] for one in before["cpus"]} if before else {}
    rows: list[tuple[str, ...]] = []
    for one in now["cpus"]:
        other = sum(count for row, count in one["interrupts"].items() if row != "LOC")
        pause = "-" if one["gap_max_us"] is None else f"{one['gap_max_us']:.0f} us"
        cells: tuple[object, ...] = (
            one["cpu"],
            one["mode"],
            old.get(one["cpu"], "-"),
            one["interrupts"]["LOC"],
        )
        cells += (sum(one["devices"].values()), other, one["involuntary_switches"], pause)
        rows.append(tuple(str(cell) for cell in cells))
    tell(f"{result.host}, {now['window_s']:.0f} s window")
    show_table(head, rows, right=(0, *range(2, len(head))))
