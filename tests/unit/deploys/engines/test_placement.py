"""Threads to CPUs: hot ones alone on isolated CPUs, the rest on housekeeping, slots apart."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploys.errors import RefusedError
from deploys.slot.placement import place
from engine.contract.manifest import Manifest
from tests.cases.machines import CASES
from tests.support.engine.deploy import manifest_of, plan_of, thread
from tuning.errors import PlanError
from tuning.plan.plan import Plan

ROLES = ("md-rx", "hot", "order-tx", "journal", "repl", "admin", "other")


def plans() -> dict[str, Plan]:
    found = {}
    for name in CASES:
        try:
            found[name] = plan_of(name)
        except PlanError:
            continue
    return found


PLANS = plans()


def test_hot_thread_gets_an_engine_cpu_and_the_others_housekeeping() -> None:
    plan = plan_of()
    placed = place(manifest_of(), plan, taken={})
    assert placed.threads["hot"] == plan.cpus_of("engine")
    assert placed.threads["journal"] == placed.threads["admin"] == plan.cpus_of("housekeeping")
    assert str(placed.all) == "0,3"
    assert placed.nodes == (1,)


def test_receiving_thread_gets_the_poll_cpu_and_leaves_the_engine_cpu_to_the_hot_one() -> None:
    threads = [thread("rx", "md-rx", "isolated"), thread("hot", "hot", "isolated")]
    placed = place(manifest_of(threads=threads), plan_of(), taken={})
    assert {name: str(cpus) for name, cpus in placed.threads.items()} == {"rx": "2", "hot": "3"}


def test_more_hot_threads_than_isolated_cpus_are_refused_by_name() -> None:
    threads = [thread(f"hot-{n}", "hot", "isolated") for n in range(3)]
    with pytest.raises(
        RefusedError, match=r"3 threads want an isolated CPU \(hot-0, hot-1, hot-2\) and 2 are"
    ):
        place(manifest_of(threads=threads), plan_of(), taken={})


def test_second_slot_gets_other_isolated_cpus() -> None:
    plan = plan_of()
    first = place(manifest_of(), plan, taken={})
    second = place(manifest_of(), plan, taken={"a": frozenset(first.all)})
    assert not second.isolated & first.isolated
    with pytest.raises(RefusedError, match="of which slot a and b uses some"):
        place(manifest_of(), plan, taken={"a": frozenset(first.all), "b": frozenset(second.all)})


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    rows = draw(
        st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(["isolated", "housekeeping"])), min_size=1)
    )
    return manifest_of(threads=[thread(f"t{n}", role, wants) for n, (role, wants) in enumerate(rows)])


@given(name=st.sampled_from(sorted(PLANS)), manifest=manifests())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_no_two_threads_share_an_isolated_cpu_on_any_machine(name: str, manifest: Manifest) -> None:
    plan = PLANS[name]
    hot = [one for one in manifest.threads if one.wants == "isolated"]
    try:
        placed = place(manifest, plan, taken={})
    except RefusedError:
        assert len(hot) > len(plan.isolated)
        return
    mine = [placed.threads[one.name] for one in hot]
    assert all(len(cpus) == 1 and cpus <= plan.isolated for cpus in mine)
    assert len({str(cpus) for cpus in mine}) == len(hot)
    rest = [placed.threads[one.name] for one in manifest.threads if one.wants != "isolated"]
    assert all(cpus == plan.cpus_of("housekeeping") for cpus in rest)
    assert all(not cpus & plan.isolated for cpus in rest)
