"""`hft baseline`: what was counted of a host before tuning, after it, and what a person accepted.

`hft check` keeps the windows it measures; this verb shows them beside each other, and makes the last tuned
one the reference of later checks. It asks no host anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from checks import store
from checks.accepted import Kept, per_second
from checks.counters import Measurement
from checks.errors import SelectionError
from checks.suite import targets
from checks.verdict import Verdict
from hft import options, run_log
from hft.changing import ask
from hft.errors import Exit, HftError
from hft.locks import site_lock
from hft.sites import load
from hft.views.table import show_table
from inventory.model import Host, Site
from inventory.selection import select
from transport.hint import command
from transport.show import tell, tell_document

SCHEMA = 1
HEAD = ("host", "window", "interrupts/s", "longest pause", "CPUs", "measured", "accepted by")


@click.group()
def baseline() -> None:
    """What was counted before tuning, after it, and what was accepted."""


@baseline.command(
    epilog="""\b
Examples:
  hft baseline show                      the three windows of each host, beside each other
  hft baseline show --limit engine-1 --json
"""
)
@options.INVENTORY
@options.LIMIT
@options.JSON
def show(inventory: str | None, limit: str | None, as_json: bool) -> int:
    """Show the windows that are kept of each host; no host is asked."""
    site = load(inventory)
    hosts = [host_document(site.name, host) for host in _chosen(site, limit)]
    if as_json:
        tell_document({"schema": SCHEMA, "site": site.name, "hosts": hosts})
        return Exit.OK
    show_table(HEAD, [row for one in hosts for row in _rows(one)], right=(2, 3))
    for one in hosts:
        if one["differs"]:
            tell(f"{one['host']}: accepted with another {', another '.join(one['differs'])}: not compared")
    return Exit.OK


@baseline.command(
    epilog="""\b
Examples:
  hft check --limit engine-1 && hft baseline accept --limit engine-1 --reason "new kernel, measured twice"

\b
Exit codes: 0 accepted; 2 bad input, or a host without a window that is ok; 8 locked.
"""
)
@options.INVENTORY
@options.LIMIT
@options.YES
@options.REASON
@options.JSON
def accept(inventory: str | None, limit: str | None, yes: bool, reason: str, as_json: bool) -> int:
    """Make the last tuned window of each host the reference that later checks are held to."""
    site = load(inventory)
    chosen = _chosen(site, limit)
    windows = {host.name: _acceptable(site.name, host.name) for host in chosen}
    names = list(windows)
    with site_lock(site.name, reason or "hft baseline accept"):
        ask(f"Accept the last window of {', '.join(names)}?", yes=yes, as_json=as_json)
        with run_log.recorded(site.name, "baseline accept", hosts=names, reason=reason) as run:
            for name, kept in windows.items():
                store.save_window(
                    site.name, name, "accepted", replace(kept, by=run_log.operator(), reason=reason)
                )
                run.ended(name, result="accepted", plan_hash=kept.key.plan_hash)
    if as_json:
        hosts = [host_document(site.name, host) for host in chosen]
        tell_document({"schema": SCHEMA, "site": site.name, "hosts": hosts})
    else:
        for name, kept in windows.items():
            tell(f"{name}: the window of {kept.at} is accepted, plan {kept.key.plan_hash[:12]}")
    return Exit.OK


def _chosen(site: Site, limit: str | None) -> Sequence[Host]:
    try:
        return targets(select(site, limit))
    except SelectionError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error


def _acceptable(site: str, host: str) -> Kept:
    """The last tuned window; refused where there is none or where its effect was not proven."""
    kept = store.load_window(site, host, "tuned")
    again = command("check", "--limit", host)
    if kept is None:
        raise HftError(Exit.BAD_INPUT, f"{host}: no window of the tuned host is kept; hint: run: {again}")
    if kept.verdict != Verdict.OK:
        said = f"{host}: the window of {kept.at} was {kept.verdict}, so it is no reference"
        raise HftError(Exit.BAD_INPUT, f"{said}; hint: mend the host, then run: {again}")
    return kept


def host_document(site: str, host: Host) -> dict[str, Any]:
    """The windows of one host; each null where none is kept."""
    tuned, accepted = (store.load_window(site, host.name, name) for name in ("tuned", "accepted"))
    untuned = store.load_untuned(site, host.name)
    return {
        "host": host.name,
        "untuned": None if untuned is None else _window(untuned),
        "tuned": None if tuned is None else _kept(tuned),
        "accepted": None if accepted is None else _kept(accepted),
        "differs": list(tuned.key.differs(accepted.key)) if tuned and accepted else [],
    }


def _kept(kept: Kept) -> dict[str, Any]:
    document = kept.document()
    document.pop("measurement")
    document.pop("schema")
    return {**document, **_window(kept.measurement)}


def _window(measured: Measurement) -> dict[str, Any]:
    """Over every CPU but the busy housekeeping one, which only shows that counting works."""
    cpus = frozenset(
        cpu for cpu, one in measured.cpus.items() if one.spinner is None or one.spinner.mode != "control"
    )
    pauses = [one.spinner.gap_max_ns for cpu, one in measured.cpus.items() if cpu in cpus and one.spinner]
    return {
        "window_s": round(measured.window_s, 3),
        "cpus": sorted(cpus),
        "interrupts_per_s": per_second(measured, cpus),
        "gap_max_us": round(max(pauses) / 1000, 1) if pauses else None,
    }


def _rows(one: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in ("untuned", "tuned", "accepted"):
        window = one[name]
        if window is None:
            rows.append((one["host"], name, "-", "-", "-", "none is kept", "-"))
            continue
        rate, gap = window["interrupts_per_s"], window["gap_max_us"]
        rows.append(
            (
                one["host"],
                name,
                "-" if rate is None else f"{rate:.1f}",
                "-" if gap is None else f"{gap:.0f} us",
                ",".join(map(str, window["cpus"])),
                window.get("at", "before tuning"),
                window.get("by") or "-",
            )
        )
    return rows
