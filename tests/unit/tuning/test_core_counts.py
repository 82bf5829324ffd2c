"""How many cores are isolated and how many stay: the profile's limits hold, or the host is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import Machine, grid, machine
from tuning.errors import PlanError, ProfileError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports, Profile
from tuning.topology.reader import read_topology

TOPOLOGY = read_topology(
    machine(Machine(spots=grid(sockets=2, cores_per_node=12, threads=2), nics={"ens1f0": 1, "ens1f1": 1}))
)
TRADING = Ports(ports=(Port(word="ens1f0", use="orders"), Port(word="ens1f1", use="feed-a")))


def made(ports: Ports = TRADING, **sets: int) -> Plan:
    return plan(TOPOLOGY, replace(ENGINE, **sets), ports)  # type: ignore[arg-type]  # whole numbers alone


def isolated_cores(planned: Plan, node: int | None = None) -> int:
    return sum(core.cpus <= planned.isolated for core in TOPOLOGY.cores if node is None or core.node == node)


def test_each_named_trading_port_has_its_poll_cores() -> None:
    assert len(made(poll_threads_per_port=2).cpus_of("poll")) == 4
    assert len(made().cpus_of("poll")) <= ENGINE.poll_threads_most
    none = made(Ports(), poll_threads_per_port=2)
    assert len(none.cpus_of("poll")) <= ENGINE.poll_threads_most, "no port is named, so none counts"


def test_no_more_cores_are_isolated_than_the_profile_says() -> None:
    assert isolated_cores(made()) == ENGINE.engine_threads_most + ENGINE.poll_threads_most
    assert isolated_cores(made(isolated_cores_most=3)) == 3
    with pytest.raises(PlanError, match=r"allows 3 isolated cores.*2 trading ports.*isolated_cores_most"):
        made(isolated_cores_most=3, poll_threads_per_port=2)


def test_as_many_cores_are_isolated_as_the_profile_wants_beyond_its_threads() -> None:
    planned = made(isolated_cores_min=14)
    assert isolated_cores(planned) == 14
    extra = [one for one in planned.cpus if "keeps 14 cores isolated" in one.why]
    assert extra
    assert {one.role for one in extra} == {"spare"}
    assert isolated_cores(planned, node=1) == 11, "the port's node first, down to its interrupts' core"
    with pytest.raises(PlanError, match="wants 24 isolated cores, 22 of 24 can be"):
        made(isolated_cores_min=24)


def test_every_node_keeps_its_housekeeping_cores() -> None:
    planned = made(isolated_cores_min=14, housekeeping_cores_per_node_min=4)
    assert (isolated_cores(planned, node=0), isolated_cores(planned, node=1)) == (6, 8)
    with pytest.raises(PlanError, match="housekeeping_cores_per_node_min"):
        made(engine_threads_min=3, housekeeping_cores_per_node_min=11)
    small = made(engine_threads_min=2, housekeeping_cores_per_node_min=11)
    assert isolated_cores(small) == 2, "one of each node is all that may be isolated"


def test_counts_that_contradict_are_refused_where_they_are_written() -> None:
    with pytest.raises(ProfileError, match="isolated_cores_most 2 and isolated_cores_min 4 contradict"):
        Profile(name="x", isolated_cores_min=4, isolated_cores_most=2)
    with pytest.raises(ProfileError, match="isolated_cores_most 2 and 3 hot threads at least contradict"):
        Profile(name="x", engine_threads_min=3, isolated_cores_most=2)
    with pytest.raises(ProfileError, match="poll_threads_per_port must not be negative"):
        Profile(name="x", poll_threads_per_port=-1)
    assert Profile.from_mapping({"name": "x", "isolated_cores_most": 5}).isolated_cores_most == 5
