"""Plans, maps and diagnoses for people: tables and colours on a terminal, plain text everywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from hft.views.table import show_table, show_wrapped
from hft.views.topology import Line
from transport.hint import command, enrol
from transport.show import Part, Style, Styled, tell
from tuning.compliance.diff import Changes, Pending
from tuning.compliance.hazards import Diagnosis, Hazard
from tuning.cpuset import CpuSet
from tuning.plan.plan import CpuDecision, CpuRole, Plan
from tuning.plan.setting import Setting
from tuning.topology.topology import Topology

COLOURS: dict[CpuRole | None, Style] = {
    None: "",
    "housekeeping": "green",
    "irq": "yellow",
    "ptp": "cyan",
    "poll": "magenta",
    "engine": "alarm",
    "spare": "dim",
}


def show_host(name: str, topology: Topology) -> None:
    """One line on what the host is."""
    kind = {True: "virtual", False: "bare metal", None: "virtual or not is not known"}[topology.is_virtual]
    realtime = {True: "PREEMPT_RT", False: "not PREEMPT_RT", None: "PREEMPT_RT or not is not known"}
    words = [
        f"{len(topology.usable)} usable CPUs",
        f"{len(topology.cores)} cores",
        f"kernel {topology.kernel_release or 'not known'}",
        realtime[topology.is_realtime],
        kind,
    ]
    show_wrapped(Styled(f"{name}: {', '.join(words)}", "bold"), indent=2)


def show_map(lines: Iterable[Line]) -> None:
    """The CPU map in the roles' colours."""
    for line in lines:
        tell(*(Styled(part.text, COLOURS[part.role]) for part in line))
    tell()


def show_plan(plan: Plan, changes: Changes | None) -> None:
    """Why each CPU, each setting with its why, what was refused, and the notes."""
    _show_cpus(plan.cpus)
    _show_settings(plan, changes)
    for one in changes.all if changes else ():
        if one.way_out:
            said = f"{one.setting.key}: {one.reason}; {one.way_out}, or an apply refuses"
            show_wrapped(Styled(said, "yellow"), indent=2)
    if plan.refused:
        _titled("Not planned")
        rows = [(one.key, one.code.value, one.reason) for one in plan.refused]
        show_table(("what", "code", "why"), rows)
        tell(f"what a code means: {command('explain', plan.refused[0].code.value)}")
    for note in plan.notes:
        show_wrapped(Styled(f"note: {note}", "dim"), indent=2)
    tell(f"plan {plan.plan_hash[:12]}, profile {plan.profile}")


def _titled(title: str) -> None:
    tell()
    tell(Styled(title, "bold"))


def _show_cpus(cpus: Sequence[CpuDecision]) -> None:
    groups: dict[tuple[CpuRole, int, str], list[int]] = {}
    for one in cpus:
        groups.setdefault((one.role, one.node, one.why), []).append(one.cpu)
    rows: list[tuple[Part, ...]] = []
    for (role, node, why), numbers in groups.items():
        shown = "?" if node < 0 else str(node)
        rows.append((CpuSet.of(numbers).list_text(), shown, Styled(role, COLOURS[role]), why))
    _titled("CPUs")
    show_table(("CPUs", "node", "role", "why"), rows)


def _show_settings(plan: Plan, changes: Changes | None) -> None:
    pending = {one.setting.key: one for one in changes.all} if changes else {}
    rows: list[tuple[Part, ...]] = []
    for _, group in groupby(plan.settings, key=lambda one: _likeness(one, pending)):
        alike = list(group)
        first = alike[0]
        key = first.key if len(alike) == 1 else f"{_stem(first.key)} (each of {len(alike)} CPUs)"
        now = (_now(pending.get(first.key), changes.excused.get(first.key)),) if changes else ()
        rows.append((key, first.value, first.mode, *now, first.why))
    _titled("Settings")
    show_table(("setting", "value", "mode", *(("now",) if changes else ()), "why"), rows)


def _likeness(setting: Setting, pending: Mapping[str, Pending]) -> tuple[str, str, str, str | None]:
    """Settings of one kind on many CPUs are shown once, as long as they stand alike."""
    one = pending.get(setting.key)
    return _stem(setting.key), setting.value, str(one is None), one.observed if one else None


def _stem(key: str) -> str:
    return re.sub(r"\.cpu[0-9]+$", "", key)


def _now(pending: Pending | None, excused: str | None) -> Styled:
    if pending is None:
        return Styled(f"as planned; {excused}" if excused else "as planned", "green")
    if pending.observed is None:
        return Styled("absent" if pending.is_known else "not known", "yellow")
    return Styled(pending.observed or "empty", "yellow")


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """What works against low latency, and what could not be seen."""
    if diagnosis.hazards:
        tell(Styled("Latency hazards", "bold"))
        rows = [(one.name, one.seen, one.impact, _fix(one)) for one in diagnosis.hazards]
        show_table(("issue", "observed", "impact", "fix"), rows)
        if any(one.planned for one in diagnosis.hazards):
            ways = f"{command('init', 'DIR')}, then {enrol('NAME')}"
            show_wrapped(f"a plan is kept on the hosts of an inventory; to make this one: {ways}", indent=2)
    else:
        tell(Styled("no latency hazard found", "green"))
    if diagnosis.not_known:
        show_wrapped(Styled(f"not known: {', '.join(diagnosis.not_known)}", "yellow"), indent=2)


def _fix(hazard: Hazard) -> str:
    """A command that helps now, or why there is none; and whether a plan keeps it for the next boot."""
    return f"{hazard.fix}; the plan keeps it: {command('apply')}" if hazard.planned else hazard.fix
