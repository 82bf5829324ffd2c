"""What Pulumi is told of a lab host: what is refused, what is a change, what is another machine."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.lab.hosts import INPUTS, MACHINE, NOTES, SHAPE, changes, fault, owner_of, spec_of

PROPS: dict[str, Any] = {
    **{"lab": "default", "name": "standby", "owner": owner_of("ny4"), "number": 21.0, "kernel": "generic"},
    **{"role": "standby", "failure_domain": "rack-s", "cpus": [1.0, 3.0], "memory_mib": [512.0, 1024.0]},
    **{"threads_per_core": 1.0, "nic_node": 1.0, "wait": True},
}
THERE = {**PROPS, "running": True, "has_disk": True, "uuid": "u", "host": {"name": "standby"}}


def test_numbers_that_came_over_the_wire_are_whole_again() -> None:
    spec = spec_of(PROPS)
    assert (spec.number, spec.cpu_count, spec.memory_mib, spec.nic_node) == (21, 4, 1536, 1)
    assert [type(one) for one in (spec.number, spec.nic_node, spec.threads_per_core)] == [int] * 3
    assert set(PROPS) == set(INPUTS)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"lab": "../x"}, "name '../x'"),
        ({"name": "ops"}, "ops: is a host of the fixed site"),
        ({"kernel": "zen"}, "standby: kernel 'zen': use rt or generic"),
        ({"role": "spare"}, "standby: role 'spare': use engine or ops or standby"),
        ({"cpus": [1.0]}, "standby: 1 NUMA nodes with CPUs and 2 with memory"),
        ({"threads_per_core": 2.0}, "standby: NUMA node 0 has 1 CPUs, which is not a number of whole cores"),
    ],
)
def test_what_no_host_can_be_is_one_sentence(changed: dict[str, Any], said: str) -> None:
    assert fault({**PROPS, **changed}).startswith(said)
    assert bool(fault({**PROPS, **changed})) is bool(said)


def test_a_host_as_it_was_asked_for_is_no_change() -> None:
    assert changes(THERE, PROPS) == ([], [])
    assert changes(THERE, {**PROPS, "wait": False}) == ([], [])


OTHER = {
    **{"lab": "mine", "name": "other", "owner": "stack other", "number": 22.0, "kernel": "rt"},
    **{"role": "ops", "failure_domain": "rack-t", "cpus": [2.0, 2.0], "memory_mib": [512.0, 512.0]},
    **{"threads_per_core": 2.0, "nic_node": 0.0},
}


@pytest.mark.parametrize("key", MACHINE)
def test_what_is_on_its_disk_makes_another_machine(key: str) -> None:
    assert changes(THERE, {**PROPS, key: OTHER[key]}) == ([key], [key])


@pytest.mark.parametrize("key", [*SHAPE, *NOTES])
def test_what_is_around_its_disk_is_the_same_machine(key: str) -> None:
    assert changes(THERE, {**PROPS, key: OTHER[key]}) == ([key], [])


def test_a_host_that_is_off_is_started_and_one_without_its_disk_is_another_machine() -> None:
    assert changes({**THERE, "running": False}, PROPS) == (["running"], [])
    gone = {**THERE, "running": False, "has_disk": False}
    assert changes(gone, PROPS) == (["has_disk", "running"], ["has_disk"])
