"""Effect checks on a recorded window: they pass on the tuned host and each count fails by its own code."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.baseline import Baseline, baseline_of
from checks.counters import CpuCounters, Measurement, parse_measurement
from checks.effect import Assignment, assign, better_than_untuned, effect_findings
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.judges import JUDGES
from checks.reading import Task
from checks.verdict import Verdict

ISOLATED = frozenset({2, 3})
Change = Callable[[dict[str, Any]], object]


def judged(
    measured: Measurement | CheckError, assignment: Assignment, baseline: Baseline
) -> dict[str, str | None]:
    found = effect_findings(assignment, measured, baseline, ISOLATED)
    return {finding.check: finding.reason for finding in found}


def changed(measured: Measurement, change: Change) -> Measurement:
    document = copy.deepcopy(dict(measured.document))
    change(document)
    return parse_measurement(json.dumps(document), measured.load)


def row(name: str, cpu: int, count: int | None, table: str = "interrupts") -> Change:
    """What one row counted on one CPU; None: one of the two came or went in the window."""
    return lambda d: next(one for one in d[table] if one["id"] == name)["delta"].update({str(cpu): count})


def lost(name: str, cpu: int) -> Change:
    return row(name, cpu, None)


def without_row(name: str, table: str = "interrupts") -> Change:
    return lambda d: d.update({table: [one for one in d[table] if one["id"] != name]})


def idle_control(cpu: int) -> Change:
    return lambda d: [one["delta"].update({str(cpu): 3}) for one in d["interrupts"] if one["id"] == "LOC"]


def thread(cpu: int, **values: object) -> Change:
    return lambda d: [one.update(values) for one in d["cpus"] if one["cpu"] == cpu]


def other(  # a task has this many counts
    cpu: int, ms: float, *, kernel: bool, engine: bool = False, involuntary: int = 0, voluntary: int = 0
) -> Change:
    task = {"pid": 7, "tid": 7, "cpu": cpu, "engine": engine, "kernel": kernel, "new": False, "comm": "other"}
    counts = {"voluntary": voluntary, "involuntary": involuntary, "run_ns": int(ms * 1e6), "run_delay_ns": 0}
    return lambda d: d["tasks"].append({**task, **counts, "minor_faults": 0, "major_faults": 0})


def evidence(path: str) -> Change:
    return lambda d: d["evidence"].update({path: "foreign"})


def test_tuned_window_passes(measured: Measurement, assignment: Assignment, lab_class: Baseline) -> None:
    found = judged(measured, assignment, lab_class)
    assert {reason for check, reason in found.items() if not check.endswith("gap_us")} == {None}
    assert found["effect.cpu2.gap_us"] == "emulated"
    assert len(found) == 1 + 2 * len(JUDGES)


@pytest.mark.parametrize(
    ("check", "reason", "change"),
    [
        ("effect.cpu2.timer_interrupts", "timer_interrupts", row("LOC", 2, 40)),
        ("effect.cpu3.device_interrupts", "device_interrupts", row("36", 3, 1)),
        ("effect.cpu2.interprocessor_interrupts", "interprocessor_interrupts", row("CAL", 2, 90)),
        ("effect.cpu2.interprocessor_interrupts", "interprocessor_interrupts", row("NMI", 2, 90)),
        ("effect.cpu3.involuntary_switches", "involuntary_switches", thread(3, involuntary=9)),
        ("effect.cpu3.major_faults", "major_faults", thread(3, major_faults=1)),
        ("effect.cpu2.foreign_task", "foreign_task", other(2, 0.1, kernel=False)),
        ("effect.cpu2.foreign_task", "kthread_ran", other(2, 1, kernel=True, voluntary=900)),
        ("effect.cpu2.timer_interrupts", "no_positive_control", idle_control(1)),
        ("effect.cpu2.timer_interrupts", "unmeasured", lost("LOC", 2)),
        ("effect.cpu2.foreign_task", "unmeasured", lost("LOC", 2)),
        ("effect.cpu2.interprocessor_interrupts", "unmeasured", lost("RES", 2)),
        ("effect.cpu3.device_interrupts", "unmeasured", lost("40", 3)),
        ("effect.control", "no_positive_control", idle_control(1)),
        ("effect.cpu2.timer_interrupts", "engine_started", lambda d: d.update(aborted="engine_task")),
        ("effect.cpu2.timer_interrupts", "meter_failed", lambda d: d.update(window_ns=5_000_000_000)),
        ("effect.cpu2.timer_interrupts", "meter_failed", lambda d: d.update(window_ns=400_000_000_000)),
        ("effect.cpu2.softirqs", "meter_failed", lambda d: d.update(window_ns=d["window_ns"] * 10**6)),
        ("effect.cpu2.device_interrupts", "not_procfs", evidence("/proc/interrupts")),
        ("effect.cpu2.timer_interrupts", "not_procfs", evidence("/proc/cmdline")),
        (
            "effect.cpu2.timer_interrupts",
            "unmeasured",
            lambda d: d.update(cpus=[c for c in d["cpus"] if c["cpu"] != 2]),
        ),
    ],
)
def test_count_over_its_budget_is_named(  # noqa: PLR0917
    check: str,
    reason: str,
    change: Change,
    measured: Measurement,
    assignment: Assignment,
    lab_class: Baseline,
) -> None:
    assert judged(changed(measured, change), assignment, lab_class)[check] == reason


def test_time_of_a_kernel_thread_is_judged_where_time_means_something(
    measured: Measurement, assignment: Assignment, lab_class: Baseline
) -> None:
    long = changed(measured, other(2, 900, kernel=True, voluntary=1))
    check = "effect.cpu2.foreign_task"
    assert judged(long, assignment, lab_class)[check] is None, "the machine beside it may have held it up"
    assert judged(long, assignment, baseline_of("bare-metal"))[check] == "kthread_ran"


def test_stand_in_is_woken_where_it_is_watched(expected: Expected, tuned: Facts, lab_class: Baseline) -> None:
    unit = "/hft.slice/hft-engine.slice/hft-standin@3.service"
    standin = replace(engine({3}, 3), cgroup=unit)
    found = assign(expected, given_engine(tuned, standin), lab_class, 20, drained=False).load
    assert [found.spin, found.observe, found.wake] == [{2}, {3}, {3}]
    assert "--wake" in found.arguments()
    real = assign(expected, given_engine(tuned, engine({3}, 3)), lab_class, 20, drained=False).load
    assert real.wake == frozenset(), "a real engine is never told anything"
    elsewhere = replace(standin, cgroup="/user.slice/hft-standin@3.service")
    assert elsewhere.standin_cpu is None


def test_per_cpu_kernel_thread_may_run_briefly(
    measured: Measurement, assignment: Assignment, lab_class: Baseline
) -> None:
    found = judged(changed(measured, other(2, 0.5, kernel=True)), assignment, lab_class)
    assert found["effect.cpu2.foreign_task"] is None


def test_failed_meter_makes_every_effect_unverifiable(assignment: Assignment, lab_class: Baseline) -> None:
    found = judged(CheckError("cannot pin"), assignment, lab_class)
    assert set(found.values()) == {"meter_failed"}
    assert len(found) == 1 + 2 * len(JUDGES)


def test_pause_is_judged_on_bare_metal_only(measured: Measurement, assignment: Assignment) -> None:
    metal = baseline_of("bare-metal")
    check = "effect.cpu2.gap_us"
    assert (
        judged(changed(measured, thread(2, gap_max_ns=90_000)), assignment, metal)[check] == "gap_over_budget"
    )
    assert judged(changed(measured, thread(2, gap_max_ns=9_000)), assignment, metal)[check] is None


@pytest.mark.parametrize(("window_s", "most"), [(20.0, 5), (20.004, 5), (10.0, 3), (40.0, 10), (1.0, 1)])
def test_budget_follows_the_window(window_s: float, most: int, lab_class: Baseline) -> None:
    assert lab_class.most("timer_interrupts", window_s) == most
    assert lab_class.most("device_interrupts", window_s) == 0


def test_tuning_that_is_not_better_than_before_fails(measured: Measurement, lab_class: Baseline) -> None:
    before = changed(measured, row("LOC", 2, 5000))
    assert better_than_untuned(measured, before, ISOLATED, lab_class).verdict is Verdict.OK
    worse = better_than_untuned(before, measured, ISOLATED, lab_class)
    assert worse.reason == "not_better_than_untuned"
    assert better_than_untuned(measured, None, ISOLATED, lab_class).reason == "no_baseline"
    same = better_than_untuned(measured, measured, ISOLATED, lab_class)
    assert same.reason == "no_baseline", "what was quiet before cannot become quieter"


@pytest.mark.parametrize("then", [{0, 1}, {0, 2}, {2, 3}, {0, 1, 2, 3}])
def test_only_the_same_cpus_are_compared_with_before(
    then: set[int], measured: Measurement, lab_class: Baseline
) -> None:
    untuned = replace(measured, cpus={cpu: CpuCounters(ticks=4000 if cpu == 2 else 1) for cpu in then})
    found = better_than_untuned(measured, untuned, ISOLATED, lab_class)
    assert found.verdict is (Verdict.OK if 2 in then else Verdict.NOT_APPLICABLE)


def engine(cpus: set[int], last: int) -> Task:
    slice_ = "/hft.slice/hft-engine.slice/e.service"
    return Task(pid=50, tid=50, comm="engine", flags=0, last_cpu=last, allowed=frozenset(cpus), cgroup=slice_)


def given_engine(tuned: Facts, task: Task) -> Facts:
    return replace(tuned, tasks=(*tuned.tasks, task))


def test_cpu_of_the_engine_is_watched_and_never_loaded(
    expected: Expected, tuned: Facts, lab_class: Baseline
) -> None:
    found = assign(expected, given_engine(tuned, engine({3}, 3)), lab_class, 20, drained=False).load
    assert (set(found.spin), set(found.observe), found.control) == ({2}, {3}, 1)
    assert found.guard == {2}


def test_roaming_engine_task_blocks_every_cpu_it_may_use(
    expected: Expected, tuned: Facts, lab_class: Baseline
) -> None:
    found = assign(expected, given_engine(tuned, engine({2, 3}, 3)), lab_class, 20, drained=False).load
    assert (set(found.spin), set(found.observe)) == (set(), {2, 3})


def test_drained_host_is_loaded_where_no_engine_task_sits(
    expected: Expected, tuned: Facts, lab_class: Baseline
) -> None:
    found = assign(expected, given_engine(tuned, engine({2, 3}, 3)), lab_class, 20, drained=True).load
    assert (set(found.spin), set(found.observe)) == ({2}, {3})


def test_sibling_of_an_engine_cpu_is_left_alone(
    expected: Expected, tuned: Facts, lab_class: Baseline, measured: Measurement
) -> None:
    pair = {f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": "2-3" for cpu in (2, 3)}
    facts = replace(given_engine(tuned, engine({3}, 3)), files={**tuned.files, **pair})
    found = assign(expected, facts, lab_class, 20, drained=False)
    assert (set(found.load.spin), set(found.siblings)) == (set(), {2})
    assert judged(measured, found, lab_class)["effect.cpu2"] == "sibling_of_engine"


def test_observed_cpu_counts_only_while_the_engine_keeps_it_busy(
    expected: Expected, tuned: Facts, lab_class: Baseline, measured: Measurement
) -> None:
    assignment = assign(expected, given_engine(tuned, engine({3}, 3)), lab_class, 20, drained=False)
    watched = changed(measured, lambda d: d.update(cpus=[c for c in d["cpus"] if c["cpu"] != 3]))
    watched = replace(watched, load=assignment.load)
    busy = changed(watched, other(3, 1000 * measured.window_s, kernel=False, engine=True))
    preempted = changed(watched, other(3, 1000 * measured.window_s, kernel=False, engine=True, involuntary=9))
    assert judged(watched, assignment, lab_class)["effect.cpu3.timer_interrupts"] == "idle_cpu"
    assert judged(busy, assignment, lab_class)["effect.cpu3.timer_interrupts"] is None
    assert (
        judged(preempted, assignment, lab_class)["effect.cpu3.involuntary_switches"] == "involuntary_switches"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema":2,"evidence":{}}', '{"schema":1}'])
def test_cut_or_foreign_answer_of_the_meter_is_refused(text: str, assignment: Assignment) -> None:
    with pytest.raises(CheckError, match="meter"):
        parse_measurement(text, assignment.load)
