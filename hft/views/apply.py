"""What `hft apply` shows: pending settings with their whys, the order of reboots, and how each host ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from deploys.rollout.outcome import HostOutcome, Result
from deploys.tune.changes import Change
from deploys.tune.host_changes import HostChanges
from hft.errors import Exit, line_of
from hft.views.names import fold, fold_in_order
from hft.views.table import show_wrapped
from inventory.model import Host
from inventory.selection import waves
from transport.errors import HostError
from transport.hint import command
from transport.show import Style, Styled, tell, tell_document
from tuning.cpuset import CpuSet

FLEET_MIN, FLEET_LINES = 20, 44  # hosts, from which on one screen has to hold them; its lines for groups
NAMED_MOST = 5
_CPU = re.compile(r"\.cpu([0-9]+)$")

EXIT_BY_RESULT: dict[Result, Exit] = {
    "rolled_back": Exit.ROLLED_BACK,
    "half_undone": Exit.HALF_UNDONE,
    "unreachable": Exit.UNREACHABLE,
    "busy": Exit.LOCKED,
    "refused": Exit.BAD_INPUT,
    "failed": Exit.INTERNAL,
}


def show_pending(
    works: Sequence[HostChanges],
    dark: Sequence[HostError] = (),
    wrong: Sequence[tuple[str, Exception]] = (),
    *,
    as_json: bool,
) -> None:
    """Every pending setting with its why, once for all hosts that need the same; then the order and a sum."""
    if as_json:
        tell_document(pending_document(works, dark, wrong))
        return
    groups = list(_alike(works))
    if len(works) > FLEET_MIN:
        _show_fleet(groups)
    else:
        for alike in groups:
            _show_group(alike)
    if len(dark) > NAMED_MOST:
        names = fold([one.host for one in dark])
        tell(f"{names}: ", Styled("skipped", "yellow"), ", no answer; each with its reason in --json")
    for one in dark if len(dark) <= NAMED_MOST else ():
        tell(f"{one.host}: ", Styled("skipped", "yellow"), f": {one.seen}")
    for host, error in wrong:
        tell(Styled("in the way", "red"), f": {line_of(host, error)}")
    rebooting = reboot_order(works)
    if rebooting:
        tell(
            f"reboots, in this order, each a trial boot that comes back by itself: {fold_in_order(rebooting)}"
        )
    hosts = {*(work.host.name for work in works), *(one.host for one in dark), *(host for host, _ in wrong)}
    if (every := len(hosts)) > 1:
        tell(f"{every} hosts: {_sum(works, dark, wrong)}")


def _sum(
    works: Sequence[HostChanges], dark: Sequence[HostError], wrong: Sequence[tuple[str, Exception]]
) -> str:
    busy = [work for work in works if work.pending]
    count = sum(len(work.pending) for work in busy)
    said = [f"{len(busy)} with changes", f"{len(works) - len(busy)} as planned"]
    said += [f"{len(dark)} skipped"] if dark else []
    said += [f"{len({host for host, _ in wrong})} in the way"] if wrong else []
    return f"{', '.join(said)}; {count} pending in all" if count else ", ".join(said)


def _show_group(alike: Sequence[HostChanges]) -> None:
    """Each pending setting of one host, or of several that stand alike, with its why."""
    work = alike[0]
    tell(f"{fold([one.host.name for one in alike])}: {_head(work)}")
    for item, key in folded(work.now):
        tell(f"  {item.concern:<10} {item.sentence.replace(item.key, key, 1)}")
        show_wrapped(Styled(item.why, "dim"), head=" " * 13)
    for item, key in folded(work.waiting):
        said = item.sentence.replace(item.key, key, 1)
        tell(f"  {item.concern:<10} {said}  (waits: {work.waits_for})")
    for item in work.refused:
        tell(f"  {item.concern:<10} {item.sentence}  (refused: {item.refused})")


def _head(work: HostChanges) -> str:
    count = len(work.pending)
    return f"{count} pending, plan {work.plan.plan_hash[:12]}" if count else as_planned(work)


def folded(items: Sequence[Change]) -> list[tuple[Change, str]]:
    """The items, those of one kind on many CPUs once, with the key that stands for all of them."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for item in items:
        stem = _CPU.sub("", item.key)
        likeness = (item.concern, stem, item.seen.replace(item.key, stem, 1), item.why, item.way_out)
        groups.setdefault(likeness, []).append(item)
    return [(alike[0], _key_of(alike)) for alike in groups.values()]


def _key_of(alike: Sequence[Change]) -> str:
    if len(alike) == 1:
        return alike[0].key
    numbers = CpuSet.of(int(found[1]) for item in alike if (found := _CPU.search(item.key)))
    return f"{_CPU.sub('', alike[0].key)}.cpu[{numbers.list_text()}]"


def _show_fleet(groups: Sequence[Sequence[HostChanges]]) -> None:
    """Many hosts on one screen: who stands alike, and which settings are pending there, by concern."""
    room = FLEET_LINES
    for number, alike in enumerate(groups):
        if number and room <= 0:
            left = groups[number:]
            hosts = sum(len(one) for one in left)
            tell(f"and {hosts} hosts more in {len(left)} groups of their own: --json, or --limit HOSTS")
            break
        work = alike[0]
        names = fold([one.host.name for one in alike])
        tell(f"{len(alike)} hosts, {names}: {_head(work)}" if len(alike) > 1 else f"{names}: {_head(work)}")
        by_concern: dict[str, list[str]] = {}
        for item, key in (*folded(work.now), *folded(work.waiting)):
            by_concern.setdefault(item.concern, []).append(key)
        for concern, keys in by_concern.items() if room > len(by_concern) else ():
            count = sum(item.concern == concern for item in work.pending)
            show_wrapped(", ".join(keys), head=f"  {concern:<10} {count:>3}  ")
        for item in work.refused if room > len(by_concern) else ():
            tell(f"  {item.concern:<10}      {item.key}  (refused: {item.refused})")
        room -= 1 + len(by_concern) + len(work.refused)
    first = next((alike[0].host.name for alike in groups if alike[0].pending), None)
    if first is not None:
        tell(f"each setting with its values and its why: {command('apply', '--dry-run', '--limit', first)}")


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


def pending_document(
    works: Sequence[HostChanges],
    dark: Sequence[HostError] = (),
    wrong: Sequence[tuple[str, Exception]] = (),
) -> dict[str, Any]:
    """The pending settings as documented JSON."""
    return {
        "schema": 1,
        "reboots": reboot_order(works),
        "skipped": [{"host": one.host, "note": one.seen} for one in dark],
        "in_the_way": [{"host": host, "error": line_of(host, error)} for host, error in wrong],
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
