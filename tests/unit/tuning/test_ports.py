"""Ports: what the operator names decides; a guess prefers link, clock and speed, and says that it is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.cases.machines import CASES, Machine, grid, machine
from tuning.compliance.diff import diff
from tuning.errors import PlanError
from tuning.plan.plan import CpuRole, Plan
from tuning.plan.planner import plan
from tuning.plan.ports import without_link
from tuning.plan.profile import ENGINE, IoMode, Port, PortKey, Ports, Use
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


def named(word: str, *, use: Use = "orders", by: PortKey = "name", io_mode: IoMode | None = None) -> Ports:
    return Ports(ports=(Port(word=word, use=use, by=by, io_mode=io_mode),))


def key_of(word: str) -> PortKey:
    return "name" if ":" not in word else "pci" if "." in word else "mac"


def together(*some: Ports, ptp: str | None = None) -> Ports:
    return Ports(ports=tuple(one for ports in some for one in ports.ports), ptp=ptp)


def planned(seen: Snapshot, ports: Ports | None = None) -> Plan:
    return plan(read_topology(seen), ENGINE, ports or Ports())


def nodes_of(made: Plan, *roles: CpuRole) -> set[int]:
    return {one.node for one in made.cpus if one.role in roles}


def guess_of(made: Plan) -> str | None:
    return next((one.reason for one in made.refused if one.code is Code.PORTS_GUESSED), None)


def test_a_port_with_a_link_and_a_clock_counts_more_than_four_without() -> None:
    made = planned(SERVER)
    assert nodes_of(made, "poll", "engine", "irq", "ptp") == {1}
    assert "ens1f0" in (guess_of(made) or "") and "[[hosts.ports]]" in (guess_of(made) or "")


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
    made = planned(SERVER, named(word, by=key_of(word)))
    assert nodes_of(made, "poll", "engine", "irq") == {0}
    assert f"with the trading port {wanted}" in next(one.why for one in made.cpus if one.role == "engine")
    assert guess_of(made) is None


@pytest.mark.parametrize("role", ["orders", "feed-a", "feed-b", "replication", "management", "ptp"])
@pytest.mark.parametrize("word", ["ens9", "0000:99:00.0", "52:54:00:99:99:99"])
def test_a_named_port_that_is_absent_is_refused(role: Any, word: str) -> None:
    ports = Ports(ptp=word) if role == "ptp" else named(word, use=role, by=key_of(word))
    with pytest.raises(PlanError, match=role) as refusal:
        planned(SERVER, ports)
    assert refusal.value.code == Code.PORT_ABSENT


def test_a_name_that_fits_two_ports_is_refused_and_management_is_never_taken() -> None:
    twin = Snapshot({**SERVER.files, "/sys/class/net/eno2/address": "52:54:00:00:00:00\n"}, SERVER.links)
    for seen, ports in (
        (twin, named("52:54:00:00:00:00", use="feed-a", by="mac")),
        (SERVER, together(named("eno1"), named("0000:40:00.0", use="management", by="pci"))),
    ):
        with pytest.raises(PlanError) as refusal:
            planned(seen, ports)
        assert refusal.value.code == Code.PORT_AMBIGUOUS


def test_a_port_that_dpdk_drives_is_found_by_its_address() -> None:
    bound = {"/sys/bus/pci/devices/0000:81:00.0/class": "0x020000\n"}
    bound["/sys/bus/pci/devices/0000:81:00.0/numa_node"] = "0\n"
    seen = Snapshot({**SERVER.files, **bound}, SERVER.links)
    assert nodes_of(planned(seen, named("0000:81:00.0", by="pci")), "engine") == {0}


def test_what_lies_across_the_socket_or_on_one_card_is_noted() -> None:
    made = planned(
        SERVER,
        together(named("ens1f0"), named("eno1", use="feed-a"), named("eno2", use="feed-b"), ptp="eno4"),
    )
    said = " | ".join(made.notes)
    assert "feed-a eno1 is on NUMA node 0, the hot cores on node 1, distance 21" in said
    assert "feed-a eno1 and feed-b eno2 are on one card" in said
    assert "ptp eno4 shows no hardware clock" in said
    apart = planned(
        SERVER, together(named("ens1f0"), named("eno1", use="feed-a"), named("eno3", use="feed-b"))
    )
    assert not any("one card" in note for note in apart.notes)


def test_the_clock_core_is_on_the_node_of_its_port() -> None:
    both = host(ONBOARD | CARD, up=("ens1f0",), clocks=("eno1", "ens1f0"))
    assert nodes_of(planned(both, named("ens1f0")), "ptp") == {1}
    assert nodes_of(planned(both, together(named("ens1f0"), ptp="eno1")), "ptp") == {0}


def test_a_link_that_comes_or_goes_changes_neither_digest_nor_plan_of_named_ports() -> None:
    ports, down = named("ens1f0"), host(ONBOARD | CARD, clocks=("ens1f0", "ens1f1"))
    topology = read_topology(down)
    assert topology.digest() == read_topology(SERVER).digest()
    assert planned(down, ports).plan_hash == planned(SERVER, ports).plan_hash
    assert without_link(topology, ports) == ("orders ens1f0 has no link",)
    assert without_link(read_topology(SERVER), ports) == ()


def test_the_queues_of_the_hot_node_have_the_irq_cores_and_management_is_left_alone() -> None:
    made = planned(host(ONBOARD | CARD), together(named("eno1"), named("eno4", use="management")))
    placed = {one.device: one.cpus for one in made.settings if isinstance(one, IrqPlacement)}
    assert set(placed) == {"", "eno1", "eno2", "eno3"}
    assert all(placed[name] == made.cpus_of("irq") for name in placed if name)
    assert placed[""] == made.housekeeping


def test_a_queue_on_another_housekeeping_cpu_is_pending_until_it_is_on_its_own() -> None:
    seen = host(ONBOARD | CARD)
    made = planned(seen, named("eno1"))
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


ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
ROUTES6 = "0" * 32 + " 00 " + "0" * 32 + " 00 " + "f" * 32 + " 00000400 00000001 00000000 00000003 {}\n"


def routed(seen: Snapshot, device: str, *, six: bool = False, master: str = "") -> Snapshot:
    files = {
        "/proc/net/route": ROUTE
        if six
        else f"{ROUTE}{device}\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n",
        "/proc/net/ipv6_route": ROUTES6.format("lo") + (ROUTES6.format(device) if six else ""),
    }
    links = {f"/sys/class/net/{master}/master": f"../{device}"} if master else {}
    return Snapshot({**seen.files, **files}, {**seen.links, **links})


@pytest.mark.parametrize(
    ("way", "options"),
    [
        ("eno2", {}),
        ("eno2", {"six": True}),
        ("bond0", {"master": "eno2"}),
        ("bond0", {"six": True, "master": "eno2"}),
    ],
)
def test_the_way_to_the_host_is_never_taken(way: str, options: dict[str, Any]) -> None:
    seen = routed(host(ONBOARD | CARD), way, **options)
    made = planned(seen, named("eno1"))
    assert "irq.device.eno2" not in {one.key for one in made.settings}
    assert "irq.device.eno3" in {one.key for one in made.settings}
    for use in ("orders", "feed-a", "replication"):
        with pytest.raises(PlanError, match="default route") as refusal:
            planned(seen, named("eno2", use=use))
        assert refusal.value.code == Code.PORT_AMBIGUOUS
    assert planned(seen, together(named("eno1"), named("eno2", use="management"))).settings


def test_a_host_with_one_port_has_no_other_way() -> None:
    seen = routed(host({"eth0": 1}), "eth0")
    made = planned(seen, named("eth0"))
    assert nodes_of(made, "engine") == {1} and "irq.device.eth0" in {one.key for one in made.settings}


def test_a_route_changes_neither_the_digest_nor_what_the_machine_is() -> None:
    assert read_topology(routed(SERVER, "eno2")).digest() == read_topology(SERVER).digest()


@pytest.mark.parametrize("by", ["name", "pci", "mac"])
def test_a_word_is_looked_for_under_the_key_that_was_named(by: PortKey) -> None:
    words: dict[PortKey, str] = {"name": "eno3", "pci": "0000:41:00.0", "mac": "52:54:00:00:00:02"}
    assert nodes_of(planned(SERVER, named(words[by], by=by)), "engine") == {0}
    for other, word in words.items():
        if other != by:
            with pytest.raises(PlanError) as refusal:
                planned(SERVER, named(word, by=by))
            assert refusal.value.code == Code.PORT_ABSENT


def test_what_is_absent_is_refused_with_the_nearest() -> None:
    for word, by, near in (
        ("ens1f2", "name", "did you mean ens1f"),
        ("0000:41:00.7", "pci", "did you mean 0000:4"),
        ("52:54:00:00:00:99", "mac", "did you mean 52:54:00:00:00:0"),
    ):
        with pytest.raises(PlanError, match=near):
            planned(SERVER, named(word, by=by))  # type: ignore[arg-type]


def test_the_io_mode_belongs_to_the_port() -> None:
    ports = together(
        named("ens1f0", io_mode="kernel_interrupt"), named("ens1f1", use="feed-a", io_mode="af_xdp")
    )
    made = planned(SERVER, ports)
    values = {one.key: one.value for one in made.settings}
    assert values["nic.napi_defer.ens1f0"] == "0" and values["nic.napi_defer.ens1f1"] == "2"
    assert values["nic.gro_flush.ens1f1"] == "200000"
    assert values["net.core.bpf_jit_enable"] == "1" and "net.core.busy_poll" not in values
    assert not any(key.startswith("nic.") for key in {one.key for one in planned(SERVER).settings})


def test_a_port_that_user_space_drives_gets_no_knob_of_the_kernel() -> None:
    made = planned(SERVER, named("ens1f0", io_mode="dpdk"))
    codes = {one.key: one.code for one in made.refused}
    assert codes["nic.napi_defer.ens1f0"] is Code.NOT_APPLICABLE_PROFILE
    assert "cmdline.iommu" in {one.key for one in made.settings}


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (
            named("ens1f0", io_mode="dpdk"),
            named("eno1", use="feed-a", io_mode="onload"),
            Code.IO_MODE_CONTRADICTS,
        ),
        (
            named("ens1f0", io_mode="dpdk"),
            named("ens1f0", use="feed-a", io_mode="af_xdp"),
            Code.PORT_AMBIGUOUS,
        ),
    ],
)
def test_ports_that_exclude_each_other_are_refused(first: Ports, second: Ports, code: Code) -> None:
    with pytest.raises(PlanError) as refusal:
        planned(SERVER, together(first, second))
    assert refusal.value.code == code


FOLLOWED = [
    (name, port)
    for name, spec in CASES.items()
    for port, node in spec.nics.items()
    if node >= 0 and name not in ("one-cpu", "two-cpus", "two-cores-of-four-threads-each-refused")
]
MADE = [
    (Machine(spots=grid(sockets=sockets, cores_per_node=cores, threads=threads), nics=nics), port)
    for sockets in (2, 4)
    for cores in (6, 12)
    for threads in (1, 2)
    for nics, port in (({"a0": 0, "b0": 1}, "a0"), ({"a0": 0, "b0": 1}, "b0"))
]


def test_thirty_machines_and_more_are_asked() -> None:
    assert len({name for name, _ in FOLLOWED}) + len(MADE) >= 30


@pytest.mark.parametrize(
    ("spec", "port"),
    [*((CASES[name], port) for name, port in FOLLOWED), *MADE],
    ids=lambda one: str(one)[:40],
)
def test_hot_node_queues_pages_and_clock_follow_the_named_port(spec: Machine, port: str) -> None:
    seen = machine(replace(spec, clocks=frozenset(spec.nics)))
    topology = read_topology(seen)
    made = planned(seen, together(named(port), ptp=port))
    node = spec.nics[port]
    free = {
        core.node
        for core in topology.cores
        if topology.boot_cpu not in core.cpus and core.cpus <= topology.usable
    }
    if node not in free:
        assert any(port in note for note in made.notes), "it says why it could not"
        return
    assert nodes_of(made, "engine", "poll") <= {node} or "too few cores" in " ".join(made.notes)
    assert nodes_of(made, "irq", "ptp") <= {node}
    queues = next((one for one in made.settings if one.key == f"irq.device.{port}"), None)
    if made.cpus_of("irq"):
        assert isinstance(queues, IrqPlacement) and queues.cpus == made.cpus_of("irq")
    where = topology.node(node)
    pages = [word for word in made.kernel_args() if word.startswith("hugepages=")]
    if pages and where and where.memory_bytes and len(topology.nodes) > 1:
        assert pages[0].startswith(f"hugepages={node}:")
