"""What `hft apply` shows: pending settings with their whys, the order of reboots, and how each host ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from deploys.ends import HostEnd, Result
from deploys.text import printable
from deploys.work import Work
from hft.errors import Exit
from hft.output import tell
from inventory.model import Host
from inventory.selection import waves

EXIT_BY_RESULT: dict[Result, Exit] = {
    "rolled_back": Exit.ROLLED_BACK,
    "half_undone": Exit.HALF_UNDONE,
    "unreachable": Exit.UNREACHABLE,
    "busy": Exit.LOCKED,
    "refused": Exit.BAD_INPUT,
    "failed": Exit.INTERNAL,
}


def show_pending(works: Sequence[Work], *, as_json: bool) -> None:
    """Every pending setting of every host, one line and its why."""
    if as_json:
        tell(json.dumps(pending_document(works), indent=1))
        return
    for work in works:
        count = len(work.pending)
        tell(
            f"{work.host.name}: {count} pending, plan {work.plan.plan_hash[:12]}"
            if count
            else as_planned(work)
        )
        for item in work.now:
            tell(f"  {item.concern:<10} {printable(item.sentence)}")
            tell(click.style(f"             {item.why}", dim=True))
        for item in work.waiting:
            tell(f"  {item.concern:<10} {printable(item.sentence)}  (waits: {work.waits_for})")
    rebooting = reboot_order(works)
    if rebooting:
        tell(f"reboots, in this order, each a trial boot that comes back by itself: {', '.join(rebooting)}")


def as_planned(work: Work) -> str:
    """The sentence of a host that needs nothing."""
    return (
        f"{work.host.name}: as planned ({len(work.plan.settings)} settings, plan {work.plan.plan_hash[:12]})"
    )


def reboot_order(works: Sequence[Work]) -> list[str]:
    """Names of the hosts that will be rebooted, in the order of the waves."""
    rebooting: list[Host] = [work.host for work in works if work.is_boot_pending]
    return [host.name for wave in waves(rebooting) for host in wave]


def pending_document(works: Sequence[Work]) -> dict[str, Any]:
    """The pending settings as documented JSON."""
    return {
        "schema": 1,
        "reboots": reboot_order(works),
        "hosts": [
            {
                "host": work.host.name,
                "plan_hash": work.plan.plan_hash,
                "pending": [
                    {
                        "concern": item.concern,
                        "key": item.key,
                        "sentence": item.sentence,
                        "mode": item.mode,
                        "why": item.why,
                        "waits_for": work.waits_for if item in work.waiting else None,
                    }
                    for item in work.pending
                ],
            }
            for work in works
        ],
    }


def show_end(end: HostEnd, *, as_json: bool) -> None:
    """One line for one host."""
    colour = {True: "green", False: "red"}[end.is_good] if end.result != "not_run" else "yellow"
    line = f"{end.host}: {click.style(end.result.replace('_', ' '), fg=colour)}: {printable(end.sentence)}"
    tell(line, err=as_json)


def ends_document(ends: Iterable[HostEnd]) -> dict[str, Any]:
    """How every host ended, as documented JSON."""
    return {"schema": 1, "hosts": [end_document(end) for end in ends]}


def end_document(end: HostEnd) -> dict[str, Any]:
    """How one host ended."""
    return {
        "host": end.host,
        "result": end.result,
        "sentence": end.sentence,
        "txn": end.txn,
        "changed": list(end.changed),
    }


def exit_code_of_ends(ends: Iterable[HostEnd]) -> Exit:
    """The first failure's code, a half-undone host before all; what was not run adds nothing."""
    ends = tuple(ends)
    if any(end.result == "half_undone" for end in ends):
        return Exit.HALF_UNDONE
    return next((EXIT_BY_RESULT[end.result] for end in ends if end.result in EXIT_BY_RESULT), Exit.OK)
