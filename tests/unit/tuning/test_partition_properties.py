"""What must hold of the plan of any machine, tried on machines nobody built."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.cases.machines import Machine, grid, machine, tuned
from tuning.compliance.diff import diff
from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import IoMode, Profile
from tuning.plan.setting import KernelArg
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Any regular grid with offline CPUs, slow cores, devices anywhere and nodes with or without memory."""
    sockets, nodes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    cores, threads = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    spots = grid(
        sockets=sockets,
        nodes_per_socket=nodes,
        cores_per_node=cores,
        threads=threads,
        llc_cores=draw(st.sampled_from([0, 1, 2, 4])),
        interleaved=draw(st.booleans()),
    )
    everything = sorted(cpu for spot in spots for cpu in spot.cpus)
    offline = draw(st.sets(st.sampled_from(everything), max_size=len(everything) // 3))
    numbers = st.integers(-1, sockets * nodes - 1)
    allowed = None
    if draw(st.integers(0, 4)) == 0:
        allowed = CpuSet.of(draw(st.sets(st.sampled_from(everything), min_size=1))) - CpuSet.of(offline)
    return Machine(
        spots=spots,
        offline=frozenset(offline),
        nics=draw(st.dictionaries(st.sampled_from(["eth0", "eth1", "eth2"]), numbers)),
        clocks=frozenset(draw(st.sets(st.just("eth0")))),
        slow=frozenset(draw(st.sets(st.sampled_from(everything), max_size=3))),
        memory_kib={node: draw(st.sampled_from([0, 400_000, 9_000_000])) for node in range(sockets * nodes)},
        is_realtime=draw(st.booleans()),
        is_virtual=draw(st.booleans()),
        allowed=allowed or None,
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Any profile that does not contradict itself."""
    engine, poll = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    return Profile(
        name="drawn",
        engine_threads_min=engine,
        engine_threads_most=engine + draw(st.integers(0, 4)),
        poll_threads_min=poll,
        poll_threads_most=poll + draw(st.integers(0, 3)),
        irq_cores_most=draw(st.integers(0, 3)),
        ptp_cores_most=draw(st.integers(0, 1)),
        hugepage_bytes_min=draw(st.sampled_from([0, 0, 64 << 20])),
        io_mode=draw(st.sampled_from([None, *get_args(IoMode)])),
    )


def planned(spec: Machine, profile: Profile) -> tuple[Snapshot, Topology, Plan] | None:
    """The plan, or None where the host is refused, which must come with code and sentence."""
    assume(len(spec.online) > 0)
    snapshot = machine(spec)
    topology = read_topology(snapshot)
    try:
        return snapshot, topology, plan(topology, profile)
    except PlanError as refusal:
        assert refusal.code in (
            *("too_few_cpus", "no_hot_core", "hugepages_share", "hugepages_unknown"),
            "io_mode_contradicts",
        )
        assert len(str(refusal)) > 30
        return None


common = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@common
@given(machines(), profiles())
def test_no_hot_cpu_shares_a_core_and_roles_are_a_partition(spec: Machine, profile: Profile) -> None:
    found = planned(spec, profile)
    if found is None:
        return
    _, topology, made = found
    assert [one.cpu for one in made.cpus] == list(topology.usable)
    assert topology.boot_cpu not in made.isolated
    assert made.housekeeping
    for spot in spec.spots:
        core = CpuSet.of(spot.cpus) & topology.online
        hot = core & made.cpus_of("poll", "engine")
        assert len(hot) <= 1
        assert not core & made.isolated or core <= made.isolated
    assert len(made.cpus_of("engine")) >= profile.engine_threads_min
    assert len(made.cpus_of("poll")) >= profile.poll_threads_min
    assert len(made.cpus_of("engine")) <= profile.engine_threads_most
    assert len(made.cpus_of("poll")) <= profile.poll_threads_most


@common
@given(machines(), profiles())
def test_a_node_keeps_a_housekeeping_cpu_or_its_threads_are_quieted(spec: Machine, profile: Profile) -> None:
    found = planned(spec, profile)
    if found is None:
        return
    _, topology, made = found
    values = {setting.key: setting.value for setting in made.settings}
    whys = {setting.key: setting.why for setting in made.settings}
    for node in topology.nodes:
        if node.cpus and node.memory_bytes and node.cpus <= made.isolated:
            assert values["vm.compaction_proactiveness"] == "0"
            assert f"node {node.number}" in whys["vm.compaction_proactiveness"]


@common
@given(machines(), profiles())
def test_plans_are_deterministic_explained_and_come_back_from_json(spec: Machine, profile: Profile) -> None:
    found = planned(spec, profile)
    if found is None:
        return
    snapshot, _, made = found
    again = plan(read_topology(Snapshot.from_json(snapshot.to_json())), profile)
    assert again.to_json() == made.to_json()
    assert Plan.from_json(made.to_json()) == made
    assert all(one.why for one in made.cpus)
    assert all(one.why and one.risk and one.source for one in made.settings)
    assert all(one.value or isinstance(one, KernelArg) for one in made.settings), (
        "only a bare word has no value"
    )
    values = {setting.key: setting.value for setting in made.settings}
    complement = CpuSet.parse_list(values["cmdline.irqaffinity"])
    assert complement == made.housekeeping
    assert values["cmdline.isolcpus"] == f"managed_irq,domain,{made.isolated}"
    assert "cmdline.mitigations" in {one.key for one in made.refused}


@common
@given(machines(), profiles())
def test_an_applied_plan_is_a_fixed_point(spec: Machine, profile: Profile) -> None:
    assume(spec.allowed is None)
    found = planned(spec, profile)
    if found is None:
        return
    snapshot, _, made = found
    after = tuned(snapshot, made)
    assert diff(made, after).all == ()
    assert plan(read_topology(after), profile).plan_hash == made.plan_hash
