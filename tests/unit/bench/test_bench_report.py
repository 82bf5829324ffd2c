"""The report judges each goal from what was measured, both ways, and leaves out what was not asked for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.knobs import Knob
from bench.lab import LabFigure, bench_lab
from bench.measure import Figure
from bench.noop import Noop, Row
from bench.planning import Doctor, Planner
from bench.report import Results, goals, print_report, to_dict


def row(name: str, seconds: float) -> Row:
    figure = Figure.of([seconds])
    return Row(
        name=name,
        version="1",
        command=name,
        wall=figure,
        controller_cpu=figure,
        target_cpu=figure,
        first_changes=50,
        drift_named="sysctl vm.swappiness",
    )


def results(
    *, ours_s: float = 0.5, ansible_s: float = 20.0, imports_pyinfra: bool = False, decide_s: float = 0.006
) -> Results:
    knob = Knob(kind="sysctl", path="/proc/sys/vm/swappiness", wanted="10", key="vm.swappiness")
    quick = Figure.of([0.02])
    return Results(
        planner=Planner(
            cpus=1024, settings=60, read=quick, plan=quick, diff=quick, decide=Figure.of([decide_s])
        ),
        doctor=Doctor(wall=Figure.of([1.0]), modules=300, imports_pyinfra=imports_pyinfra),
        noop=Noop(knobs=(knob,), rows=(row("hft", ours_s), row("ansible-core", ansible_s))),
        lab=LabFigure(skipped="no lab is up"),
    )


def test_all_goals_are_met_by_good_figures() -> None:
    assert [goal.is_met for goal in goals(results())] == [True] * 6


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (results(ours_s=0.65), "hft: no-op plan and apply, 50 settings"),
        (results(ansible_s=14.0), "hft against ansible-core"),
        (results(imports_pyinfra=True), "hft doctor imports pyinfra"),
        (results(decide_s=0.009), "deciding a no-op of one server, CPU time"),
    ],
)
def test_each_goal_can_be_missed(measured: Results, missed: str) -> None:
    assert [goal.what for goal in goals(measured) if not goal.is_met] == [missed]


def test_what_was_not_measured_is_not_judged() -> None:
    assert goals(Results()) == ()


def test_missed_goal_is_said_in_the_table_and_in_the_document() -> None:
    out = io.StringIO()
    print_report(results(ours_s=2.0), Console(file=out, width=140))
    assert "MISSED" in out.getvalue()
    assert "skipped: no lab is up" in out.getvalue()
    document = json.loads(json.dumps(to_dict(results(ours_s=2.0))))
    assert document["schema"] == 1
    assert [goal["met"] for goal in document["goals"]] == [False, False, True, True, True, True]


def test_lab_that_is_not_up_is_skipped_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFT_LAB_DIR", str(tmp_path))
    monkeypatch.setenv("HFT_LAB", "absent")
    found = bench_lab(1, pytest.fail)
    assert found.wall is None
    assert "no lab 'absent' is up" in (found.skipped or "")
