"""Every row and column that the meter reports is judged, whatever its name; absent is not zero."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.baseline import Baseline, baseline_of
from checks.counters import Measurement, parse_measurement
from checks.effect import Assignment, effect_findings
from checks.errors import CheckError
from checks.judges import JUDGES
from checks.rows import EXCUSED
from checks.verdict import Verdict, worst

DOCUMENT = json.loads(Path(__file__).with_name("tuned.meter.json").read_text())
ISOLATED = frozenset({2, 3})
TABLES = ("interrupts", "softirqs")
ROWS = [(table, one["id"]) for table in TABLES for one in DOCUMENT[table]]
JUDGED = [(table, row) for table, row in ROWS if row not in EXCUSED]
CLASSES = ("lab-vm", "cloud", "bare-metal")
Change = Callable[[dict[str, Any]], object]


def verdict(change: Change, assignment: Assignment, baseline: Baseline) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    try:
        seen: Measurement | CheckError = parse_measurement(json.dumps(document), assignment.load)
    except CheckError as error:
        seen = error
    return {one.check: one for one in effect_findings(assignment, seen, baseline, ISOLATED)}


def row_of(document: dict[str, Any], table: str, row: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document[table] if one["id"] == row)
    return found


def spinner(cpu: int, **sets: object) -> Change:
    return lambda d: next(one for one in d["cpus"] if one["cpu"] == cpu).update(sets)


@pytest.mark.parametrize(("table", "row"), JUDGED)
def test_each_row_can_be_too_much(table: str, row: str, assignment: Assignment, lab_class: Baseline) -> None:
    found = verdict(lambda d: row_of(d, table, row)["delta"].update({"2": 100_000}), assignment, lab_class)
    wrong = [check for check, one in found.items() if one.verdict is Verdict.VIOLATED]
    assert len(wrong) == 1
    assert wrong[0].startswith("effect.cpu2."), "the other CPU was quiet"


@pytest.mark.parametrize(("table", "row"), JUDGED)
@pytest.mark.parametrize("how", ["null", "gone"])
def test_a_column_that_is_not_known_is_no_pass(
    how: str, table: str, row: str, assignment: Assignment, lab_class: Baseline
) -> None:
    def change(document: dict[str, Any]) -> None:
        delta = row_of(document, table, row)["delta"]
        delta.pop("2") if how == "gone" else delta.update({"2": None})

    assert worst(verdict(change, assignment, lab_class).values()) is Verdict.UNVERIFIABLE


@pytest.mark.parametrize("row", ["LOC", "RES", "CAL", "TLB", "IWI", "NMI"])
def test_a_row_that_x86_always_prints_is_missed(
    row: str, assignment: Assignment, lab_class: Baseline
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["interrupts"] = [one for one in document["interrupts"] if one["id"] != row]

    assert worst(verdict(change, assignment, lab_class).values()) is Verdict.UNVERIFIABLE


@pytest.mark.parametrize("row", [one["id"] for one in DOCUMENT["softirqs"]])
def test_a_softirq_that_every_kernel_prints_is_missed(
    row: str, assignment: Assignment, lab_class: Baseline
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["softirqs"] = [one for one in document["softirqs"] if one["id"] != row]

    assert worst(verdict(change, assignment, lab_class).values()) is Verdict.UNVERIFIABLE


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_a_row_that_stands_twice_is_no_table_of_a_kernel(
    table: str, row: str, assignment: Assignment, lab_class: Baseline
) -> None:
    found = verdict(lambda d: d[table].append(row_of(d, table, row)), assignment, lab_class)
    assert {one.reason for one in found.values()} == {"meter_failed"}


@pytest.mark.parametrize("host_class", CLASSES)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spinner(2, moved=True), "unmeasured"),
        (spinner(2, loops=0), "unmeasured"),
        (spinner(2, mode="control"), "unmeasured"),
        (lambda d: d["steal_ticks"].update({"2": 4000}), "steal"),
        (lambda d: d["steal_ticks"].update({"2": None}), "unmeasured"),
        (lambda d: d["steal_ticks"].pop("2"), "unmeasured"),
    ],
)
def test_what_makes_counts_worthless_does_so_in_every_class(
    change: Change, reason: str, host_class: str, assignment: Assignment
) -> None:
    found = verdict(change, assignment, baseline_of(host_class))
    assert {found[f"effect.cpu2.{name}"].reason for name in JUDGES} == {reason}


@pytest.mark.parametrize("host_class", CLASSES)
@pytest.mark.parametrize("stood", [{"gap_max_ns": 39e9}, {"run_ns": 2_000_000_000}])
def test_load_that_stood_is_violated_and_its_low_counts_prove_nothing_in_every_class(
    stood: dict[str, float], host_class: str, assignment: Assignment
) -> None:
    found = verdict(spinner(2, **stood), assignment, baseline_of(host_class))
    assert found["effect.cpu2.starvation"].verdict is Verdict.VIOLATED
    assert found["effect.cpu2.timer_interrupts"].reason == "starved"
    assert not any(one.verdict is Verdict.OK for check, one in found.items() if "cpu2" in check)

    def both(document: dict[str, Any]) -> None:
        spinner(2, **stood)(document)
        row_of(document, "interrupts", "LOC")["delta"].update({"2": 9000})

    found = verdict(both, assignment, baseline_of(host_class))
    assert found["effect.cpu2.timer_interrupts"].verdict is Verdict.VIOLATED, "too many are too many"


@pytest.mark.parametrize("count", [(1 - 4294967295) % 2**64, 2])
def test_a_counter_that_wrapped_is_read_as_the_kernel_counts(
    count: int, assignment: Assignment, lab_class: Baseline
) -> None:
    found = verdict(
        lambda d: row_of(d, "interrupts", "LOC")["delta"].update({"2": count}), assignment, lab_class
    )
    assert found["effect.cpu2.timer_interrupts"].observed == "2"


def arm(document: dict[str, Any]) -> None:
    """The rows of an arm64 kernel: the tick is a numbered interrupt, messages are IPI0 and so on."""
    tick = row_of(document, "interrupts", "LOC")
    none = {"1": 0, "2": 0, "3": 0}
    words = (
        "Rescheduling interrupts",
        "Function call interrupts",
        "CPU stop interrupts",
        "IRQ work interrupts",
    )
    document["interrupts"] = [
        *(one for one in document["interrupts"] if one["device"]),
        {**tick, "id": "11", "device": True, "name": "GICv3  27 Level     arch_timer"},
        *({"id": f"IPI{n}", "name": name, "device": False, "delta": none} for n, name in enumerate(words)),
        {"id": "Err", "name": "", "device": False, "delta": none},
    ]


def test_arm64_shows_its_tick_and_can_be_proven(assignment: Assignment, lab_class: Baseline) -> None:
    found = verdict(arm, assignment, lab_class)
    assert worst(found.values()) is Verdict.OK
    assert found["effect.control"].observed == "1027"


@pytest.mark.parametrize(
    ("row", "reason"),
    [("11", "timer_interrupts"), ("IPI0", "interprocessor_interrupts"), ("36", "device_interrupts")],
)
def test_rows_of_arm64_are_judged_too(
    row: str, reason: str, assignment: Assignment, lab_class: Baseline
) -> None:
    def change(document: dict[str, Any]) -> None:
        arm(document)
        row_of(document, "interrupts", row)["delta"] = {"1": 9000, "2": 9000, "3": 0}

    assert verdict(change, assignment, lab_class)[f"effect.cpu2.{reason}"].reason == reason


@pytest.mark.parametrize("row", ["11", "IPI0", "IPI1"])
def test_a_row_that_arm64_always_prints_is_missed(
    row: str, assignment: Assignment, lab_class: Baseline
) -> None:
    def change(document: dict[str, Any]) -> None:
        arm(document)
        document["interrupts"] = [one for one in document["interrupts"] if one["id"] != row]

    assert worst(verdict(change, assignment, lab_class).values()) is Verdict.UNVERIFIABLE


def ran(tid: int, share: float, **sets: object) -> Change:
    task = {"pid": 900, "tid": tid, "cpu": 2, "engine": True, "kernel": False, "new": False, "comm": "engine"}
    none = dict.fromkeys(("voluntary", "involuntary", "run_delay_ns", "minor_faults", "major_faults"), 0)
    run_ns = int(share * DOCUMENT["window_ns"])
    return lambda d: d["tasks"].append({**task, **none, "run_ns": run_ns, **sets})


def observed(*changes: Change) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["cpus"] = [one for one in document["cpus"] if one["cpu"] != 2]
        for one in changes:
            one(document)

    return change


@pytest.fixture
def watching(assignment: Assignment) -> Assignment:
    """CPU 2 carries the engine: it is observed, not loaded."""
    return replace(
        assignment,
        load=replace(assignment.load, spin=frozenset({3}), observe=frozenset({2})),
        engine=frozenset({2}),
    )


@pytest.mark.parametrize("host_class", CLASSES)
def test_busy_is_of_one_thread_and_two_of_them_share_the_cpu(host_class: str, watching: Assignment) -> None:
    found = verdict(observed(ran(901, 0.36), ran(902, 0.36)), watching, baseline_of(host_class))
    assert found["effect.cpu2.foreign_task"].reason == "foreign_task"
    assert found["effect.cpu2.timer_interrupts"].reason == "idle_cpu"
    busy = verdict(observed(ran(901, 0.96)), watching, baseline_of(host_class))
    assert worst(one for check, one in busy.items() if "cpu2" in check) is Verdict.OK


@pytest.mark.parametrize("host_class", CLASSES)
def test_thread_of_the_engine_that_waited_is_starved(host_class: str, watching: Assignment) -> None:
    waited = observed(ran(901, 0.96, run_delay_ns=5_000_000_000))
    found = verdict(waited, watching, baseline_of(host_class))
    assert found["effect.cpu2.starvation"].reason == "starved"


def first(document: dict[str, Any], key: str, value: object) -> None:
    document["cpus"][0][key] = value


@pytest.mark.parametrize(
    "change",
    [
        *(lambda d, table=table: d[table][0]["delta"].update({"02": 9}) for table in TABLES),
        lambda d: d["steal_ticks"].update({" 2": 0}),
        lambda d: d["interrupts"][0]["delta"].update({"\u0662": 9}),
        lambda d: row_of(d, "interrupts", "LOC")["delta"].update({"2": 1 << 64}),
        lambda d: row_of(d, "interrupts", "LOC")["delta"].update({"2": 1 << 40}),
        lambda d: row_of(d, "interrupts", "LOC")["delta"].update({"2": True}),
        *(lambda d, cpu=cpu: first(d, "cpu", cpu) for cpu in ("2", 2.0, True, None)),
        *(lambda d, gap=gap: first(d, "gap_max_ns", gap) for gap in ("5", True, float("nan"), -1, 10**400)),
        lambda d: d.update(window_ns=str(d["window_ns"])),
    ],
)
def test_a_number_of_another_kind_is_no_answer_of_a_meter(
    change: Change, assignment: Assignment, lab_class: Baseline
) -> None:
    found = verdict(change, assignment, lab_class)
    assert {one.reason for one in found.values()} == {"meter_failed"}
