"""Plans, maps and diagnoses for people: tables and colours on a terminal, plain text everywhere else.

Whatever a host said is data: it goes through `Text`, never through markup, so nothing in it can colour or
move the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploys.text import printable
from tuning.ailments import Diagnosis
from tuning.cpu_map import Line
from tuning.cpuset import CpuSet
from tuning.diff import Changes, Pending
from tuning.plan import CpuDecision, Plan, Role
from tuning.setting import Setting
from tuning.topology import Topology

COLOURS: dict[Role | None, str] = {
    None: "",
    "housekeeping": "green",
    "irq": "yellow",
    "ptp": "cyan",
    "poll": "magenta",
    "engine": "bold red",
    "spare": "dim",
}


def _text(shown: str, style: str = "") -> Text:
    """What may come from a host: never markup, and nothing in it can colour or move the terminal."""
    return Text(printable(shown), style=style)


def console() -> Console:
    """Standard output; a file or a pipe gets lines of 120 characters."""
    made = Console(highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(highlight=False, width=120)


def show_host(out: Console, name: str, topology: Topology) -> None:
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
    out.print(_text(f"{name}: {', '.join(words)}", style="bold"))


def show_map(out: Console, lines: Iterable[Line]) -> None:
    """The CPU map in the roles' colours."""
    for line in lines:
        out.print(Text.assemble(*((part.text, COLOURS[part.role]) for part in line)), overflow="fold")
    out.print()


def show_plan(out: Console, plan: Plan, changes: Changes | None) -> None:
    """Why each CPU, each setting with its why, what was refused, and the notes."""
    out.print(_cpu_table(plan.cpus))
    out.print(_setting_table(plan, changes))
    if plan.refused:
        out.print(_refusal_table(plan))
    for note in plan.notes:
        out.print(_text(f"note: {note}", style="dim"))
    out.print(_text(f"plan {plan.plan_hash[:12]}, profile {plan.profile}"))


def _cpu_table(cpus: Sequence[CpuDecision]) -> Table:
    table = Table(title="CPUs", title_justify="left", show_edge=False, pad_edge=False)
    for head in ("CPUs", "node", "role", "why"):
        table.add_column(head, overflow="fold")
    groups: dict[tuple[Role, int, str], list[int]] = {}
    for one in cpus:
        groups.setdefault((one.role, one.node, one.why), []).append(one.cpu)
    for (role, node, why), numbers in groups.items():
        shown = "?" if node < 0 else str(node)
        table.add_row(CpuSet.of(numbers).list_text(), shown, _text(role, style=COLOURS[role]), _text(why))
    return table


def _setting_table(plan: Plan, changes: Changes | None) -> Table:
    pending = {one.setting.key: one for one in changes.all} if changes else {}
    table = Table(title="Settings", title_justify="left", show_edge=False, pad_edge=False)
    for head in ("setting", "value", "mode", *(("now",) if changes else ()), "why"):
        table.add_column(head, overflow="fold")
    for _, group in groupby(plan.settings, key=lambda one: _likeness(one, pending)):
        alike = list(group)
        first = alike[0]
        key = first.key if len(alike) == 1 else f"{_stem(first.key)} (each of {len(alike)} CPUs)"
        now = (_now(pending.get(first.key)),) if changes else ()
        table.add_row(_text(key), _text(first.value), first.mode, *now, _text(first.why))
    return table


def _likeness(setting: Setting, pending: Mapping[str, Pending]) -> tuple[str, str, str, str | None]:
    """Settings of one kind on many CPUs are shown once, as long as they stand alike."""
    one = pending.get(setting.key)
    return _stem(setting.key), setting.value, str(one is None), one.observed if one else None


def _stem(key: str) -> str:
    return re.sub(r"\.cpu[0-9]+$", "", key)


def _now(pending: Pending | None) -> Text:
    if pending is None:
        return _text("as planned", style="green")
    if pending.observed is None:
        return _text("not known" if pending.reason.startswith("not known") else "absent", style="yellow")
    return _text(pending.observed[:60] or "empty", style="yellow")


def _refusal_table(plan: Plan) -> Table:
    table = Table(title="Not planned", title_justify="left", show_edge=False, pad_edge=False)
    for head in ("what", "code", "why"):
        table.add_column(head, overflow="fold")
    for one in plan.refused:
        table.add_row(_text(one.key), one.code.value, _text(one.reason))
    return table


def show_diagnosis(out: Console, diagnosis: Diagnosis) -> None:
    """What works against low latency, and what could not be seen."""
    if diagnosis.ailments:
        table = Table(
            title="Works against low latency", title_justify="left", show_edge=False, pad_edge=False
        )
        for head in ("what", "seen", "hurts, because", "cure"):
            table.add_column(head, overflow="fold")
        for one in diagnosis.ailments:
            table.add_row(one.name, _text(one.seen), one.hurts, one.cure)
        out.print(table)
    else:
        out.print(_text("nothing found that works against low latency", style="green"))
    if diagnosis.not_known:
        out.print(_text(f"not known: {', '.join(diagnosis.not_known)}", style="yellow"))
