"""What `hft apply` shows: pending settings with their whys, the order of reboots, and how each host ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from deploys.rollout.outcome import HostOutcome, Result
from deploys.tune.host_changes import HostChanges
from hft.errors import Exit
from inventory.model import Host
from inventory.selection import waves
from transport.errors import HostError
from transport.show import Style, Styled, tell, tell_document

EXIT_BY_RESULT: dict[Result, Exit] = {
    "rolled_back": Exit.ROLLED_BACK,
    "half_undone": Exit.HALF_UNDONE,
    "unreachable": Exit.UNREACHABLE,
    "busy": Exit.LOCKED,
    "refused": Exit.BAD_INPUT,
    "failed": Exit.INTERNAL,
}


def show_pending(works: Sequence[HostChanges], dark: Sequence[HostError] = (), *, as_json: bool) -> None:
    """Every pending setting with its why, once for all hosts that need the same; then the order and a sum."""
    if as_json:
        tell_document(pending_document(works, dark))
        return
    for alike in _alike(works):
        work = alike[0]
        names, count = ", ".join(one.host.name for one in alike), len(work.pending)
        stands = f"{count} pending, plan {work.plan.plan_hash[:12]}" if count else as_planned(work)
        tell(f"{names}: {stands}")
        for item in work.now:
            tell(f"  {item.concern:<10} {item.sentence}")
            tell(Styled(f"             {item.why}", "dim"))
        for item in work.waiting:
            tell(f"  {item.concern:<10} {item.sentence}  (waits: {work.waits_for})")
        for item in work.refused:
            tell(f"  {item.concern:<10} {item.sentence}  (refused: {item.refused})")
    for one in dark:
        tell(f"{one.host}: ", Styled("skipped", "yellow"), f": {one.seen}")
    rebooting = reboot_order(works)
    if rebooting:
        tell(f"reboots, in this order, each a trial boot that comes back by itself: {', '.join(rebooting)}")
    if len(works) + len(dark) > 1:
        busy = sum(bool(work.pending) for work in works)
        left = f", {len(dark)} skipped" if dark else ""
        tell(f"{len(works) + len(dark)} hosts: {busy} with changes, {len(works) - busy} as planned{left}")


def _alike(works: Sequence[HostChanges]) -> Iterable[Sequence[HostChanges]]:
    """Hosts with the same plan of which the same would be shown, in the order of the first of them."""
    groups: dict[object, list[HostChanges]] = {}
    for work in works:
        pending = [(item.concern, item.sentence, item in work.waiting) for item in work.pending]
        refused = [(item.concern, item.sentence, item.refused) for item in work.refused]
        shown = (*pending, *refused)
        groups.setdefault((work.plan.plan_hash, work.waits_for, shown), []).append(work)
    return groups.values()


def as_planned(work: HostChanges) -> str:
    """What there is to say of a host that needs nothing."""
    settings = f"{len(work.plan.settings)} settings"
    settings += f", {len(work.refused)} refused" if work.refused else ""
    return f"as planned ({settings}, plan {work.plan.plan_hash[:12]})"


def reboot_order(works: Sequence[HostChanges]) -> list[str]:
    """Names of the hosts that will be rebooted, in the order of the waves."""
    rebooting: list[Host] = [work.host for work in works if work.is_boot_pending]
    return [host.name for wave in waves(rebooting) for host in wave]


def pending_document(works: Sequence[HostChanges], dark: Sequence[HostError] = ()) -> dict[str, Any]:
    """The pending settings as documented JSON."""
    return {
        "schema": 1,
        "reboots": reboot_order(works),
        "skipped": [{"host": one.host, "note": one.seen} for one in dark],
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
                "refused": [
                    {"concern": item.concern, "key": item.key, "sentence": item.sentence, "why": item.refused}
                    for item in work.refused
                ],
            }
            for work in works
        ],
    }


def show_end(end: HostOutcome, *, as_json: bool) -> None:
    """One line for one host."""
    colour: Style = "yellow" if end.result == "not_run" else "green" if end.is_good else "red"
    tell(f"{end.host}: ", Styled(end.result.replace("_", " "), colour), f": {end.sentence}", err=as_json)


def end_document(end: HostOutcome) -> dict[str, Any]:
    """How one host ended."""
    return {
        "host": end.host,
        "result": end.result,
        "sentence": end.sentence,
        "hint": end.hint,
        "txn": end.txn,
        "changed": list(end.changed),
    }


def exit_code_of_ends(ends: Iterable[HostOutcome]) -> Exit:
    """The first failure's code, a half-undone host before all; what was not run adds nothing."""
    ends = tuple(ends)
    if any(end.result == "half_undone" for end in ends):
        return Exit.HALF_UNDONE
    return next((EXIT_BY_RESULT[end.result] for end in ends if end.result in EXIT_BY_RESULT), Exit.OK)
