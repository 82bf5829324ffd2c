"""What a host's clock still needs: all of it once, nothing twice, and nothing beside a running engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploys.clock.changes import MASKED, PROGRAMS, ClockChanges, decide_clock
from deploys.clock.client import transaction
from deploys.clock.files import clock_files
from deploys.errors import RefusedError
from deploys.slot.slot_state import Seen, Unit
from tests.support.engine.deploy import host_of, seen_of
from tuning.clock.plan import ClockPlan, plan_clock
from tuning.clock.wish import ClockWish
from tuning.cpuset import CpuSet
from tuning.units import CLOCK_UNITS, OTHER_CLOCK_WRITERS, UNIT_DIR

CLIENT = ClockWish(role="client", port="e0", domain=24, watch=("192.0.2.9",))
SOURCE = ClockWish(role="grandmaster", port="e0", sources=("192.0.2.1",), watch=("192.0.2.9",))
RUNS = Unit(active=True, enabled=True, exe=None)


def clock(wish: ClockWish = CLIENT) -> ClockPlan:
    return plan_clock("engine-1", wish, CpuSet.of([1]))


def fresh() -> Seen:
    return seen_of(programs=dict.fromkeys(PROGRAMS, "/usr/sbin/x"))


def done(plan: ClockPlan) -> Seen:
    """A host on which PLAN is in place and runs."""
    masked = {f"{UNIT_DIR}/{unit}": MASKED for unit in OTHER_CLOCK_WRITERS}
    files = {file.path: file.digest for file in clock_files(plan)}
    return replace(fresh(), files={**masked, **files}, units={daemon.unit: RUNS for daemon in plan.daemons})


def decide(plan: ClockPlan, seen: Seen, *, engine_active: bool = False) -> ClockChanges:
    return decide_clock(host_of(), plan, seen, engine_active=engine_active)


def units(steps: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(step["unit"], step["active"]) for step in steps if step["kind"] == "unit"]


def test_a_host_without_a_clock_gets_all_of_it_in_one_transaction() -> None:
    work = decide(clock(), fresh())
    (steps,) = work.documents
    kinds = [step["kind"] for step in steps]
    assert kinds == sorted(kinds, key=["file", "unit"].index), "a unit is started from its file"
    assert {step["path"] for step in steps if step["kind"] == "file"} == {
        file.path for file in clock_files(clock())
    }
    order = units(steps)
    assert order[: len(OTHER_CLOCK_WRITERS)] == [(unit, False) for unit in OTHER_CLOCK_WRITERS]
    assert set(order[len(OTHER_CLOCK_WRITERS) :]) == {(daemon.unit, True) for daemon in clock().daemons}
    document = transaction(work, steps, "20261201T000000-00000000")
    assert document["txn"] > "20261201T000000-00000000" and document["boot"] is None


def test_a_host_that_is_as_planned_gets_nothing() -> None:
    assert decide(clock(), done(clock())).documents == ()
    assert decide(clock(), done(clock()), engine_active=True).documents == ()


def test_a_daemon_whose_files_differ_is_stopped_before_they_come_and_takes_along_what_hangs_on_it() -> None:
    seen = done(plan_clock("engine-1", replace(CLIENT, transport="l2"), CpuSet.of([1])))
    first, second = decide(clock(), seen).documents
    assert units(first) == [("hft-ptp4l.service", False), ("hft-phc2sys.service", False)]
    assert not [step for step in first if step["kind"] == "file"]
    assert units(second) == [("hft-ptp4l.service", True), ("hft-phc2sys.service", True)]
    befores = {step["path"]: step["before"] for step in second if step["kind"] == "file"}
    assert befores == {path: seen.files[path] for path in befores}, "compared before anything is written"
    assert "/etc/chrony/hft-clock-watch.conf" not in befores


def test_another_role_leaves_nothing_of_the_first() -> None:
    steps = decide(clock(CLIENT), done(clock(SOURCE))).documents[-1]
    removed = {step["path"] for step in steps if step["kind"] == "file" and step["content"] is None}
    assert removed == {f"{UNIT_DIR}/hft-ntp.service", "/etc/chrony/hft-ntp.conf"}
    assert ("hft-ntp.service", False) in units(steps)


@pytest.mark.parametrize("unit", [*CLOCK_UNITS[:2], *OTHER_CLOCK_WRITERS])
def test_one_unit_that_is_not_as_planned_is_seen(unit: str) -> None:
    seen = done(clock())
    off = Unit(active=unit in OTHER_CLOCK_WRITERS, enabled=False, exe=None)
    (steps,) = decide(clock(), replace(seen, units={**seen.units, unit: off})).documents
    assert units(steps) == [(unit, unit in CLOCK_UNITS)]


def test_nothing_is_changed_where_it_must_not_be() -> None:
    with pytest.raises(RefusedError, match=r"an engine runs.*hft clock apply --limit engine-1 --dry-run"):
        decide(clock(), fresh(), engine_active=True)
    for seen, said in (
        (replace(fresh(), machine_id="f" * 32), "not the enrolled machine"),
        (replace(fresh(), open_trial="20261201T000000-00000000"), "trial boot"),
        (replace(fresh(), committed_hash=None), "no plan is committed"),
        (replace(fresh(), programs={**fresh().programs, "ptp4l": None}), "ptp4l not installed"),
    ):
        with pytest.raises(RefusedError, match=said):
            decide(clock(), seen)
