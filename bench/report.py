"""The report: the machine first, then each figure with its spread and, where there is one, its goal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.lab import LabFigure
from bench.measure import machine, machine_line
from bench.noop import GOAL_RATIO, GOAL_S, Noop, Row
from bench.planning import DECIDE_GOAL_S, DOCTOR_GOAL_S, PLANNER_GOAL_S, Doctor, Planner


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal and what was seen of it."""

    what: str
    wanted: str
    seen: str
    is_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything one run of the benchmark measured; None is what was not asked for."""

    planner: Planner | None = None
    doctor: Doctor | None = None
    noop: Noop | None = None
    lab: LabFigure | None = None


def goals(results: Results) -> tuple[Goal, ...]:
    """Every goal that this run can judge."""
    return tuple(_goals(results))


def _goals(results: Results) -> Iterator[Goal]:
    if results.noop is not None and (ours := results.noop.row("hft")):
        wall = ours.wall.median_s
        yield _at_most("hft: no-op plan and apply, 50 settings", GOAL_S, wall)
        if ansible := results.noop.row("ansible-core"):
            ratio = ansible.wall.median_s / wall
            yield Goal(
                what="hft against ansible-core",
                wanted=f">= {GOAL_RATIO:.0f}x",
                seen=f"{ratio:.1f}x",
                is_met=ratio >= GOAL_RATIO,
            )
    if planner := results.planner:
        yield _at_most(f"plan() on {planner.cpus:,} CPUs", PLANNER_GOAL_S, planner.plan.median_s)
        yield _at_most("deciding a no-op of one server, CPU time", DECIDE_GOAL_S, planner.decide.median_s)
    if doctor := results.doctor:
        yield _at_most("hft doctor", DOCTOR_GOAL_S, doctor.wall.median_s)
        yield Goal(
            what="hft doctor imports pyinfra",
            wanted="never",
            seen="it does" if doctor.imports_pyinfra else f"no ({doctor.modules} modules)",
            is_met=not doctor.imports_pyinfra,
        )


def _at_most(what: str, limit_s: float, seen_s: float) -> Goal:
    shown = f"{seen_s * 1e3:.1f} ms" if limit_s < 0.5 else f"{seen_s:.2f} s"
    wanted = f"< {limit_s * 1e3:.0f} ms" if limit_s < 0.5 else f"<= {limit_s:g} s"
    return Goal(what=what, wanted=wanted, seen=shown, is_met=seen_s <= limit_s)


def print_report(results: Results, console: Console) -> None:
    """For people."""
    console.print(f"[bold]machine[/bold]  {machine_line()}", soft_wrap=True, highlight=False)
    if results.noop is not None:
        console.print(_noop_table(results.noop))
    if results.lab is not None:
        console.print(f"[bold]lab[/bold]  {_lab_line(results.lab)}", soft_wrap=True, highlight=False)
    if results.planner is not None:
        console.print(
            f"[bold]planner[/bold]  {_planner_line(results.planner)}", soft_wrap=True, highlight=False
        )
    if results.doctor is not None:
        console.print(f"[bold]doctor[/bold]  {results.doctor.wall.text()}", soft_wrap=True, highlight=False)
    if judged := goals(results):
        console.print(_goal_table(judged))


def _noop_table(noop: Noop) -> Table:
    kinds = ", ".join(
        f"{sum(knob.kind == kind for knob in noop.knobs)} {kind}s"
        for kind in ("sysctl", "value", "file", "link")
    )
    title = (
        f"No-op plan and apply of {len(noop.knobs)} settings ({kinds}); sshd on loopback; median (min to max)"
    )
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("tool", "command", "wall", "slower than hft", "CPU controller", "CPU target", "first run"):
        table.add_column(name, justify="left" if name in ("tool", "command") else "right")
    ours = noop.row("hft")
    for row in noop.rows:
        table.add_row(
            f"{row.name} {row.version}",
            row.command,
            row.wall.text(),
            f"{row.wall.median_s / ours.wall.median_s:.1f}x" if ours else "",
            f"{row.controller_cpu.median_s:.2f} s",
            f"{row.target_cpu.median_s:.2f} s",
            f"{row.first_changes} changes",
        )
    return table


def _lab_line(lab: LabFigure) -> str:
    if lab.wall is None:
        return f"skipped: {lab.skipped}"
    note = "; changes are pending there" if lab.is_pending else ""
    return f"hft apply --dry-run on {lab.host} (emulated, no goal{note}): {lab.wall.text()}"


def _planner_line(planner: Planner) -> str:
    return (
        f"{planner.cpus:,} CPUs, {planner.settings} settings: read {planner.read.text()}, "
        f"plan {planner.plan.text()}, diff {planner.diff.text()}; "
        f"CPU time of a no-op decision on one server: {planner.decide.text()}"
    )


def _goal_table(judged: tuple[Goal, ...]) -> Table:
    table = Table(title="Goals", title_justify="left", title_style="bold")
    for name in ("what", "goal", "seen", ""):
        table.add_column(name)
    for goal in judged:
        table.add_row(
            goal.what, goal.wanted, goal.seen, "[green]met[/green]" if goal.is_met else "[red]MISSED[/red]"
        )
    return table


def to_dict(results: Results) -> dict[str, object]:
    """For machines."""
    return {
        "schema": 1,
        "machine": machine(),
        "noop": _noop_dict(results.noop) if results.noop else None,
        "lab": _lab_dict(results.lab) if results.lab else None,
        "planner": _planner_dict(results.planner) if results.planner else None,
        "doctor": _doctor_dict(results.doctor) if results.doctor else None,
        "goals": [
            {"what": goal.what, "wanted": goal.wanted, "seen": goal.seen, "met": goal.is_met}
            for goal in goals(results)
        ],
    }


def _noop_dict(noop: Noop) -> dict[str, object]:
    return {
        "settings": [{"kind": knob.kind, "path": knob.path, "key": knob.key} for knob in noop.knobs],
        "tools": [_row_dict(row) for row in noop.rows],
    }


def _row_dict(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "version": row.version,
        "command": row.command,
        "wall": row.wall.to_dict(),
        "controller_cpu": row.controller_cpu.to_dict(),
        "target_cpu": row.target_cpu.to_dict(),
        "first_changes": row.first_changes,
        "drift_named": row.drift_named,
    }


def _lab_dict(lab: LabFigure) -> dict[str, object]:
    wall = lab.wall.to_dict() if lab.wall else None
    return {"host": lab.host, "wall": wall, "pending": lab.is_pending, "skipped": lab.skipped}


def _planner_dict(planner: Planner) -> dict[str, object]:
    steps = {"read": planner.read, "plan": planner.plan, "diff": planner.diff, "decide": planner.decide}
    return {"cpus": planner.cpus, "settings": planner.settings} | {
        name: figure.to_dict() for name, figure in steps.items()
    }


def _doctor_dict(doctor: Doctor) -> dict[str, object]:
    return {
        "wall": doctor.wall.to_dict(),
        "modules": doctor.modules,
        "imports_pyinfra": doctor.imports_pyinfra,
    }
