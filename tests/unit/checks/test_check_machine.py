"""The machine that emulates a host: what it took is measured, and what its load can bend is not judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.baseline import Baseline, baseline_of
from checks.machine import BENT_BY_LOAD, EMULATED, MachineLoad, is_bent, judged_under, too_busy
from checks.verdict import REASONS, Finding, Verdict, ok, unverifiable, violated

QUIET = MachineLoad(
    window_s=20, load=1.0, vms_percent=80, others_percent=5, steal_percent=0, busiest=("ssh 2 % of a CPU",)
)
BUSY = replace(QUIET, others_percent=55, busiest=("sh 110 % of a CPU",))
STOLEN = replace(QUIET, steal_percent=30)


def count(reason: str, seen: int, most: int = 5) -> Finding:
    return violated(
        "effect.cpu2.x", reason, f"CPU 2: {seen}", expected=f"<= {most}", observed=str(seen), why="because"
    )


def judged(finding: Finding, machine: MachineLoad | None) -> Finding:
    (found,) = judged_under([finding], machine, baseline_of(EMULATED))
    return found


@pytest.mark.parametrize("machine", [BUSY, STOLEN])
def test_count_a_little_over_on_a_busy_machine_is_not_judged_and_says_who_was_busy(
    machine: MachineLoad,
) -> None:
    found = judged(count("timer_interrupts", 11), machine)
    assert (found.verdict, found.reason) == (Verdict.UNVERIFIABLE, "machine_busy")
    assert machine.sentence() in found.message
    assert (found.expected, found.observed, found.why) == ("<= 5", "11", "because")


@pytest.mark.parametrize("machine", [None, QUIET])
def test_the_same_count_on_a_quiet_machine_or_on_metal_is_violated(machine: MachineLoad | None) -> None:
    finding = count("timer_interrupts", 6)
    assert judged(finding, machine) == finding


@pytest.mark.parametrize(
    "finding",
    [
        count("timer_interrupts", 2715),
        count("timer_interrupts", 51),
        count("involuntary_switches", 700, most=3),
        count("device_interrupts", 1, most=0),
        count("foreign_task", 1),
        count("major_faults", 1, most=0),
        count("irq_on_isolated", 1),
        unverifiable("effect.cpu2.x", "not_procfs", "x"),
        ok("effect.cpu2.x", "fine"),
    ],
)
def test_what_no_load_can_cause_keeps_its_verdict_on_a_busy_machine(finding: Finding) -> None:
    assert judged(finding, BUSY) == finding
    assert finding.verdict is Verdict.OK or not is_bent(finding)


def test_every_reason_that_load_can_bend_is_a_reason() -> None:
    known = set(REASONS[Verdict.VIOLATED]) | set(REASONS[Verdict.UNVERIFIABLE])
    assert known >= BENT_BY_LOAD


def test_only_an_emulated_class_has_a_limit() -> None:
    assert too_busy(BUSY, baseline_of(EMULATED))
    assert not too_busy(QUIET, baseline_of(EMULATED))
    for metal in ("bare-metal", "cloud"):
        assert not too_busy(BUSY, baseline_of(metal))


def test_measurement_that_failed_is_not_judged_on_a_busy_machine_and_fails_on_a_quiet_one() -> None:
    failed = unverifiable("effect.cpu2.x", "meter_failed", "the thread of CPU 2 got no time for 20 s")
    assert judged(failed, BUSY).reason == "machine_busy"
    assert judged(failed, QUIET).reason == "meter_failed"


def test_limits_of_the_emulated_class_carry_their_source() -> None:
    lab: Baseline = baseline_of(EMULATED)
    for name in ("others_percent", "machine_steal_percent", "foreign_runs"):
        assert lab.entries[name]["source"]
