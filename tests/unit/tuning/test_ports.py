"""Ports: what the operator names decides; a guess prefers link, clock and speed, and says that it is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, Machine, grid, machine
from tuning.compliance.diff import diff
from tuning.errors import PlanError
from tuning.plan.plan import CpuRole, Plan
from tuning.plan.planner import plan
from tuning.plan.ports import without_link
from tuning.plan.profile import ENGINE, Ports
from tuning.plan.refusal import Code
from tuning.plan.setting import IrqPlacement, SliceCpus
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology
from tuning.units import CLOCK_DAEMONS

TWO = grid(sockets=2, cores_per_node=16)
ONBOARD = {"eno1": 0, "eno2": 0, "eno3": 0, "eno4": 0}
CARD = {"ens1f0": 1, "ens1f1": 1}


def host(
    nics: dict[str, int],
    *,
    up: tuple[str, ...] = (),
    clocks: tuple[str, ...] = (),
    speeds: dict[str, int] | None = None,
    functions: tuple[str, ...] = (),
) -> Snapshot:
    made = machine(Machine(spots=TWO, nics=nics, clocks=frozenset(clocks)))
    files, links = dict(made.files), dict(made.links)
    for index, name in enumerate(sorted(nics)):
        card, port = divmod(index, 2)
        files[f"/sys/class/net/{name}/operstate"] = "up\n" if name in up else "down\n"
        files[f"/sys/class/net/{name}/address"] = f"52:54:00:00:00:{index:02x}\n"
        files[f"/sys/class/net/{name}/speed"] = f"{(speeds or {}).get(name, -1)}\n"
        links[f"/sys/class/net/{name}/device"] = f"../../../0000:4{card}:00.{port}"
        if name in functions:
            links[f"/sys/class/net/{name}/device/physfn"] = "../0000:60:00.0"
    return Snapshot(files, links)


SERVER = host(ONBOARD | CARD, up=("ens1f0", "ens1f1"), clocks=("ens1f0", "ens1f1"))


def planned(seen: Snapshot, ports: Ports | None = None) -> Plan:
    return plan(read_topology(seen), ENGINE, ports or Ports())


def nodes_of(made: Plan, *roles: CpuRole) -> set[int]:
    return {one.node for one in made.cpus if one.role in roles}


def guess_of(made: Plan) -> str | None:
    return next((one.reason for one in made.refused if one.code is Code.PORTS_GUESSED), None)


def test_a_port_with_a_link_and_a_clock_counts_more_than_four_without() -> None:
    made = planned(SERVER)
    assert nodes_of(made, "poll", "engine", "irq", "ptp") == {1}
    assert "ens1f0" in (guess_of(made) or "") and "ports = { trade" in (guess_of(made) or "")


@pytest.mark.parametrize(
    ("nics", "up", "clocks", "speeds", "functions", "node"),
    [
        ({"a0": 0, "b0": 1}, ("b0",), ("a0",), {}, (), 1),  # a link before a clock
        ({"a0": 0, "b0": 1}, (), ("b0",), {"a0": 100_000}, (), 1),  # a clock before the speed
        ({"a0": 0, "b0": 1}, (), (), {"a0": 1_000, "b0": 25_000}, (), 1),
        ({"a0": 0, "b0": 1, "b1": 1}, ("a0",), (), {}, ("b0", "b1"), 0),
        ({"a0": 0, "b0": 1, "b1": 1}, (), (), {"b0": 100_000}, ("b0", "b1"), 0),  # a whole port before a part
        ({"a0": 0, "b0": 1, "b1": 1}, (), (), {}, (), 1),  # nothing tells them apart: the larger number
    ],
)
def test_what_a_guess_prefers(  # noqa: PLR0917
    nics: dict[str, int],
    up: tuple[str, ...],
    clocks: tuple[str, ...],
    speeds: dict[str, int],
    functions: tuple[str, ...],
    node: int,
) -> None:
    made = planned(host(nics, up=up, clocks=clocks, speeds=speeds, functions=functions))
    assert nodes_of(made, "poll", "engine") == {node}
    assert guess_of(made) is not None


def test_with_all_devices_on_one_node_nothing_is_guessed() -> None:
    assert guess_of(planned(host(ONBOARD))) is None
    assert guess_of(planned(machine(CASES["two-sockets-numa-node-unknown"]))) is None


@pytest.mark.parametrize("word", ["eno3", "0000:40:00.1", "52:54:00:00:00:02", "52:54:00:00:00:02".upper()])
def test_the_node_of_the_port_that_trades_is_the_hot_node(word: str) -> None:
    wanted = "eno2" if word == "0000:40:00.1" else "eno3"
    made = planned(SERVER, Ports(trade=(word,)))
    assert nodes_of(made, "poll", "engine", "irq") == {0}
    assert f"with the trading port {wanted}" in next(one.why for one in made.cpus if one.role == "engine")
    assert guess_of(made) is None


@pytest.mark.parametrize("role", ["feed_a", "feed_b", "management", "ptp"])
@pytest.mark.parametrize("word", ["ens9", "0000:99:00.0", "52:54:00:99:99:99"])
def test_a_named_port_that_is_absent_is_refused(role: str, word: str) -> None:
    ports = Ports(**{role: word})  # type: ignore[arg-type]
    with pytest.raises(PlanError, match=role) as refusal:
        planned(SERVER, ports)
    assert refusal.value.code == Code.PORT_ABSENT


def test_a_name_that_fits_two_ports_is_refused_and_management_is_never_taken() -> None:
    twin = Snapshot({**SERVER.files, "/sys/class/net/eno2/address": "52:54:00:00:00:00\n"}, SERVER.links)
    for seen, ports in (
        (twin, Ports(feed_a="52:54:00:00:00:00")),
        (SERVER, Ports(trade=("eno1",), management="0000:40:00.0")),
    ):
        with pytest.raises(PlanError) as refusal:
            planned(seen, ports)
        assert refusal.value.code == Code.PORT_AMBIGUOUS


def test_a_port_that_dpdk_drives_is_found_by_its_address() -> None:
    bound = {"/sys/bus/pci/devices/0000:81:00.0/class": "0x020000\n"}
    bound["/sys/bus/pci/devices/0000:81:00.0/numa_node"] = "0\n"
    seen = Snapshot({**SERVER.files, **bound}, SERVER.links)
    assert nodes_of(planned(seen, Ports(trade=("0000:81:00.0",))), "engine") == {0}


def test_what_lies_across_the_socket_or_on_one_card_is_noted() -> None:
    made = planned(SERVER, Ports(trade=("ens1f0",), feed_a="eno1", feed_b="eno2", ptp="eno4"))
    said = " | ".join(made.notes)
    assert "feed_a eno1 is on NUMA node 0, the hot cores on node 1, distance 21" in said
    assert "feed_a eno1 and feed_b eno2 are on one card" in said
    assert "ptp eno4 shows no hardware clock" in said
    apart = planned(SERVER, Ports(trade=("ens1f0",), feed_a="eno1", feed_b="eno3"))
    assert not any("one card" in note for note in apart.notes)


def test_the_clock_core_is_on_the_node_of_its_port() -> None:
    both = host(ONBOARD | CARD, up=("ens1f0",), clocks=("eno1", "ens1f0"))
    assert nodes_of(planned(both, Ports(trade=("ens1f0",))), "ptp") == {1}
    assert nodes_of(planned(both, Ports(trade=("ens1f0",), ptp="eno1")), "ptp") == {0}


def test_a_link_that_comes_or_goes_changes_neither_digest_nor_plan_of_named_ports() -> None:
    ports, down = Ports(trade=("ens1f0",)), host(ONBOARD | CARD, clocks=("ens1f0", "ens1f1"))
    topology = read_topology(down)
    assert topology.digest() == read_topology(SERVER).digest()
    assert planned(down, ports).plan_hash == planned(SERVER, ports).plan_hash
    assert without_link(topology, ports) == ("trade ens1f0 has no link",)
    assert without_link(read_topology(SERVER), ports) == ()


def test_the_queues_of_the_hot_node_have_the_irq_cores_and_management_is_left_alone() -> None:
    made = planned(host(ONBOARD | CARD), Ports(trade=("eno1",), management="eno4"))
    placed = {one.device: one.cpus for one in made.settings if isinstance(one, IrqPlacement)}
    assert set(placed) == {"", "eno1", "eno2", "eno3"}
    assert all(placed[name] == made.cpus_of("irq") for name in placed if name)
    assert placed[""] == made.housekeeping


def test_a_queue_on_another_housekeeping_cpu_is_pending_until_it_is_on_its_own() -> None:
    seen = host(ONBOARD | CARD)
    made = planned(seen, Ports(trade=("eno1",)))
    vectors: dict[str, str | None] = {"/sys/class/net/eno1/device/msi_irqs/90": "msix\n"}
    vectors["/sys/kernel/irq/90/actions"] = "mlx5_comp0\n"

    def pending(cpus: str) -> bool:
        files = {**seen.files, **vectors, "/proc/irq/90/smp_affinity_list": f"{cpus}\n"}
        keys = {one.setting.key for one in diff(made, Snapshot(files, seen.links)).all}
        return "irq.device.eno1" in keys

    away = (made.housekeeping - made.cpus_of("irq")).last()
    assert pending(str(away)) and not pending(made.cpus_of("irq").list_text())


@pytest.mark.parametrize("unit", CLOCK_DAEMONS)
def test_a_clock_daemon_has_the_clock_core(unit: str) -> None:
    seen = Snapshot({**SERVER.files, f"/lib/systemd/system/{unit}": "[Unit]\n"}, SERVER.links)
    made = planned(seen)
    setting = next(one for one in made.settings if one.key == f"clock.daemon.{unit}")
    assert isinstance(setting, SliceCpus) and setting.cpus == made.cpus_of("ptp")
    assert Plan.from_json(made.to_json()) == made
    dropin = {f"/etc/systemd/system/{unit}.d/90-hft.conf": f"[Service]\nAllowedCPUs={setting.cpus}\n"}
    gone = {f"/sys/fs/cgroup/system.slice/{unit}/cpuset.cpus": None}
    after = Snapshot({**seen.files, **dropin, **gone}, seen.links)
    keys = {one.setting.key for one in diff(made, after).all}
    assert setting.key not in keys


def test_no_plan_says_of_a_cpu_what_is_not_so_of_the_whole() -> None:
    """`invariants.check` reads every why back; a small cache that another role shares is not left idle."""
    small = machine(Machine(spots=grid(sockets=2, cores_per_node=32, llc_cores=8)))
    made = planned(small)
    caches: Topology = read_topology(small)
    for one in made.cpus:
        if "last-level cache" in one.why:
            core = next(core for core in caches.cores if one.cpu in core.cpus)
            assert core.llc <= made.isolated


def test_a_why_that_nothing_holds_or_that_is_false_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuning.plan import partition

    for sentence in ("idle because it is a Tuesday", partition.QUIET_CACHE):
        with monkeypatch.context() as patch:
            real = partition._decide

            def planted(*args: object, why: str = sentence, real: object = real) -> object:
                decisions = real(*args)  # type: ignore[operator]
                return (*decisions[:-1], replace(decisions[-1], why=why))

            patch.setattr(partition, "_decide", planted)
            with pytest.raises(PlanError, match="internal error"):
                planned(machine(CASES["two-sockets-nic-on-node-1"]))
