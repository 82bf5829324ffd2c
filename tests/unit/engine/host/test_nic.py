"""Ports between kernel and user space: refusals, deeds, and the way back, on a made-up sysfs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.host.nic import (
    EXIT_CONFIG,
    EXIT_NOT_SAFE,
    EXIT_RETRY,
    VFIO,
    Bus,
    NicError,
    Port,
    Words,
    bind,
    main,
    read_port,
    recorded,
    release,
    why_not_bind,
    why_not_release,
)

ADDRESS, SIBLING, BRIDGE = "0000:41:00.0", "0000:41:00.1", "0000:40:01.0"
GOOD = Port(address=ADDRESS, driver="ice", interfaces=("ens1",), group="7")


class Machine:
    """A sysfs and a procfs with three devices; group 7 holds the port and its bridge."""

    def __init__(self, root: Path) -> None:
        self.root, self.bus = root, root / "sys/bus/pci"
        for driver in ("ice", "pcieport", VFIO):
            (self.bus / "drivers" / driver).mkdir(parents=True)
        (root / "proc/net").mkdir(parents=True)
        (root / "addresses").mkdir()
        for table in ("route", "tcp"):
            self.proc(table)
        self.add(ADDRESS, "0x020000", "ice", "7")
        self.add(SIBLING, "0x020000", "ice", "8")
        self.add(BRIDGE, "0x060400", "pcieport", "7")
        (self.device(ADDRESS) / "net" / "ens1").mkdir(parents=True)

    def device(self, address: str) -> Path:
        return self.bus / "devices" / address

    def add(self, address: str, kind: str, driver: str, group: str) -> None:
        device, members = self.device(address), self.root / "sys/kernel/iommu_groups" / group / "devices"
        device.mkdir(parents=True)
        members.mkdir(parents=True, exist_ok=True)
        (device / "class").write_text(kind + "\n")
        (device / "driver").symlink_to(self.bus / "drivers" / driver)
        (device / "iommu_group").symlink_to(members.parent)
        (members / address).symlink_to(device)

    def regroup(self, address: str, group: str) -> None:
        members = self.root / "sys/kernel/iommu_groups" / group / "devices"
        (members / address).symlink_to(self.device(address))

    def proc(self, name: str, *lines: str) -> int:
        return (self.root / "proc/net" / name).write_text("\n".join(("header", *lines)) + "\n")

    def port(self) -> Port:
        return read_port(ADDRESS, self.root)


class Kernel(Bus):
    """What the kernel does when these files are written; `refuses` names a driver that does not take it."""

    def __init__(self, machine: Machine, refuses: str = "") -> None:
        super().__init__(ADDRESS, machine.root)
        self.machine, self.refuses, self.override = machine, refuses, ""
        self.writes: list[tuple[str, str]] = []

    def _write(self, path: Path, text: str) -> None:
        self.writes.append((path.name, text.strip()))
        link = self.machine.device(ADDRESS) / "driver"
        if path.name == "driver_override":
            self.override = text.strip()
        elif path.name == "unbind":
            link.unlink()
        elif path.name == "drivers_probe" and (self.override or "ice") != self.refuses:
            link.symlink_to(self.machine.bus / "drivers" / (self.override or "ice"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.host.nic.PATIENCE_S", 0.1)


def test_a_port_is_read_with_its_driver_interfaces_and_group(machine: Machine) -> None:
    assert machine.port() == GOOD
    assert why_not_bind(machine.port()) is None


@pytest.mark.parametrize("address", ["41:00.0", "0000:41:00.9", "../../etc", "", "0000:99:00.0", BRIDGE])
def test_what_is_no_network_device_is_refused(machine: Machine, address: str) -> None:
    with pytest.raises(NicError) as refused:
        read_port(address, machine.root)
    assert refused.value.code == EXIT_CONFIG


def test_binding_goes_by_override_unbind_and_probe_and_release_goes_the_same_way_back(
    machine: Machine, tmp_path: Path
) -> None:
    kernel = Kernel(machine)
    given: list[str] = []
    loaded: list[str] = []
    said = bind(machine.port(), kernel, tmp_path / "state", lambda: loaded.append(VFIO), given.append)
    assert said == f"{ADDRESS} from ice to {VFIO}"
    assert (loaded, given, kernel.driver()) == ([VFIO], ["7"], VFIO)
    assert kernel.writes == [("driver_override", VFIO), ("unbind", ADDRESS), ("drivers_probe", ADDRESS)]
    assert json.loads(recorded(ADDRESS, tmp_path / "state").read_text())["driver"] == "ice"
    kernel.writes.clear()
    assert release(machine.port(), kernel, tmp_path / "state") == f"{ADDRESS} from {VFIO} to ice"
    assert kernel.writes == [("driver_override", ""), ("unbind", ADDRESS), ("drivers_probe", ADDRESS)]
    assert machine.port() == GOOD
    assert not recorded(ADDRESS, tmp_path / "state").exists()


def test_a_released_port_is_told_of_with_the_name_that_udev_gives_it_back(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(machine.port(), Kernel(machine), tmp_path, lambda: None, lambda _: None)
    named = machine.device(ADDRESS) / "net" / "ens1"
    named.rename(named.with_name("eth0"))
    monkeypatch.setattr("engine.host.nic.time.sleep", lambda _: named.with_name("eth0").rename(named))
    release(machine.port(), Kernel(machine), tmp_path)
    assert machine.port() == GOOD


def test_a_second_time_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    kernel = Kernel(machine)
    assert "already" in release(machine.port(), kernel, tmp_path)
    bind(machine.port(), kernel, tmp_path, lambda: None, lambda _: None)
    kernel.writes.clear()
    assert "already" in bind(machine.port(), kernel, tmp_path, lambda: None, lambda _: None)
    assert kernel.writes == []
    assert json.loads(recorded(ADDRESS, tmp_path).read_text())["driver"] == "ice"


def test_a_step_that_fails_is_undone(machine: Machine, tmp_path: Path) -> None:
    kernel = Kernel(machine, refuses=VFIO)
    with pytest.raises(NicError, match="bound to ice again") as failed:
        bind(machine.port(), kernel, tmp_path, lambda: None, lambda _: None)
    assert (failed.value.code, machine.port()) == (EXIT_RETRY, GOOD)
    assert not recorded(ADDRESS, tmp_path).exists()


def test_a_node_that_cannot_be_handed_over_undoes_the_binding(machine: Machine, tmp_path: Path) -> None:
    def no_node(group: str) -> None:
        raise FileNotFoundError(f"/dev/vfio/{group}")

    with pytest.raises(NicError, match="bound to ice again"):
        bind(machine.port(), Kernel(machine), tmp_path, lambda: None, no_node)
    assert machine.port() == GOOD


def test_without_an_iommu_nothing_is_bound(machine: Machine) -> None:
    (machine.device(ADDRESS) / "iommu_group").unlink()
    assert "intel_iommu=on" in str(why_not_bind(machine.port()))


def test_a_group_that_the_kernel_shares_is_not_taken_but_bridges_may_stay(machine: Machine) -> None:
    assert machine.port().companions == ()
    machine.regroup(SIBLING, "7")
    assert f"{SIBLING} ice" in str(why_not_bind(machine.port()))


def test_the_port_of_the_default_route_is_never_taken(machine: Machine) -> None:
    machine.proc("route", "ens1\t00000000\t0100A8C0", "other\t0001A8C0\t00000000")
    assert "default route" in str(why_not_bind(machine.port()))


def test_a_virtio_ports_interface_counts_though_it_hangs_one_step_below(machine: Machine) -> None:
    (machine.device(ADDRESS) / "net/ens1").rmdir()
    (machine.device(ADDRESS) / "virtio1/net/ens1").mkdir(parents=True)
    assert machine.port().interfaces == ("ens1",)
    machine.proc("route", "ens1\t00000000\t0100A8C0")
    assert "default route" in str(why_not_bind(machine.port()))


@pytest.mark.parametrize(("state", "taken"), [("01", False), ("0A", False), ("06", True)])
def test_the_port_of_a_session_or_listener_is_never_taken(machine: Machine, state: str, taken: bool) -> None:
    (machine.root / "addresses/ens1").write_text("10.77.1.11\n")
    machine.proc("tcp", f"0: 0B014D0A:0016 0D014D0A:C000 {state} rest")
    assert (why_not_bind(machine.port(), Words(give_up=frozenset({"10.77.1.11"}))) is None) is taken


def test_another_addresses_session_is_no_reason(machine: Machine) -> None:
    (machine.root / "addresses/ens1").write_text("10.77.1.11\n")
    machine.proc("tcp", "0: 0B024D0A:0016 0D014D0A:C000 01 rest")
    assert why_not_bind(machine.port(), Words(give_up=frozenset({"10.77.1.11"}))) is None


def test_a_port_below_a_vlan_is_never_taken(machine: Machine) -> None:
    (machine.device(ADDRESS) / "net/ens1/upper_ens1.100").mkdir()
    assert "carries ens1.100" in str(why_not_bind(machine.port()))


def test_refusals_change_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.regroup(SIBLING, "7")
    kernel = Kernel(machine)
    with pytest.raises(NicError) as refused:
        bind(machine.port(), kernel, tmp_path / "state", lambda: None, lambda _: None)
    assert (refused.value.code, kernel.writes) == (EXIT_NOT_SAFE, [])
    assert not (tmp_path / "state").exists()


def test_an_open_group_is_not_released_because_the_kernel_would_wait_forever(
    machine: Machine, tmp_path: Path
) -> None:
    fd = machine.root / "proc/4711/fd"
    fd.mkdir(parents=True)
    (fd / "9").symlink_to("/dev/vfio/7")
    port = replace(machine.port(), driver=VFIO)
    assert "process 4711" in str(why_not_release(port))
    with pytest.raises(NicError) as refused:
        release(port, Kernel(machine), tmp_path)
    assert refused.value.code == EXIT_NOT_SAFE


def test_the_command_line_answers_in_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "nowhere"]) == EXIT_CONFIG
    assert json.loads(capsys.readouterr().out)["ok"] is False


SIX_DEFAULT = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003     ens1"
SIX_ROUTE = SIX_DEFAULT.replace("0" * 32 + " 00 ", "20010db8" + "0" * 24 + " 20 ", 1)
SIX_LINK = SIX_DEFAULT.replace(f"fe80{'0' * 27}1", "0" * 32)
SIX, MAPPED = "B80D0120000000000000000001000000", "0000000000000000FFFF00000A02000A"


ON = {"gateway": "2001:db8::1", "dev": "ens1", "table": "7"}
ECMP = {"dst": "default", "nexthops": [{"dev": "other"}, {"gateway": "10.0.1.1", "dev": "ens1"}]}


def listed(machine: Machine, words: str, *entries: object) -> None:
    """What ip(8) lists on this host."""
    (machine.root / "ip").mkdir()
    (machine.root / "ip" / words).write_text(json.dumps(entries))


def bare(machine: Machine, name: str, *lines: str) -> int:
    """A table without a header."""
    return (machine.root / "proc/net" / name).write_text("\n".join(lines) + "\n")


def addresses(machine: Machine, *known: str) -> int:
    return (machine.root / "addresses/ens1").write_text("\n".join(known) + "\n")


def functions(machine: Machine) -> None:
    (machine.device(ADDRESS) / "sriov_numvfs").write_text("2\n")
    machine.add("0000:41:01.0", "0x020000", "ice", "9")
    (machine.device(ADDRESS) / "virtfn0").symlink_to(machine.device("0000:41:01.0"))


def unreadable(machine: Machine, name: str) -> None:
    (machine.root / "proc/net" / name).unlink()
    (machine.root / "proc/net" / name).mkdir()


@pytest.mark.parametrize(
    ("lay", "why"),
    [
        (lambda m: bare(m, "ipv6_route", SIX_DEFAULT), "IPv6 default route"),
        (lambda m: bare(m, "ipv6_route", SIX_ROUTE), "route to 2001:db8::"),
        (lambda m: m.proc("route", "ens1\t0000000A\t0102000A\t0003"), "route to 10.0.0.0"),
        (
            lambda m: (m.proc("tcp6", f"0: {SIX}:0016 {SIX}:D431 01"), addresses(m, "2001:db8::1")),
            "2001:db8::1",
        ),
        (
            lambda m: (m.proc("tcp6", f"0: {MAPPED}:0016 {MAPPED}:D431 01"), addresses(m, "10.0.2.10")),
            "10.0.2.10",
        ),
        (lambda m: (m.proc("tcp6", f"0: {SIX}:0016 {SIX}:0 0A"), addresses(m, "2001:db8::1")), "listener"),
        (lambda m: (bare(m, "udp", "-", "0: 0A02000A:2710 0:0 07"), addresses(m, "10.0.2.10")), "UDP socket"),
        (lambda m: listed(m, "4-route-show-table-all", ECMP), "next hop of the default route"),
        (lambda m: listed(m, "6-route-show-table-all", {"dst": "default"} | ON), "default route (table 7)"),
        (lambda m: listed(m, "4-route-show-table-all", {"dst": "9.0.0.0/8", "nhid": 5}), "by id alone"),
        (lambda m: listed(m, "4-route-show-table-all", {"gateway": "10.0.0.1"}), "cannot be read"),
        (lambda m: listed(m, "4-route-show-table-all", "x"), "cannot be read"),
        (lambda m: listed(m, "4-rule", {"priority": 9, "iif": "ens1"}), "routing rule 9"),
        (lambda m: (m.device(ADDRESS) / "net/ens1/master").symlink_to("../../bond0"), "part of bond0"),
        (functions, "virtual functions: 0000:41:01.0"),
        (lambda m: (m.device(ADDRESS) / "sriov_numvfs").write_text("1\n"), "virtual functions: enabled"),
        (lambda m: unreadable(m, "route"), "cannot be read"),
        (lambda m: unreadable(m, "tcp"), "cannot be read"),
        (lambda m: bare(m, "ipv6_route", "torn"), "cannot be read"),
        (lambda m: m.proc("tcp", "torn"), "cannot be read"),
    ],
)
def test_a_port_that_anything_stands_on_is_kept_by_whichever_table_shows_it(
    machine: Machine, lay: Callable[[Machine], object], why: str
) -> None:
    lay(machine)
    assert why in str(why_not_bind(machine.port()))


@pytest.mark.parametrize(
    "lay",
    [
        lambda m: m.proc("route", "ens1\t0000000A\t00000000\t0001", "other\t00000000\t0102000A\t0003"),
        lambda m: bare(m, "ipv6_route", SIX_LINK, SIX_DEFAULT.replace("ens1", "lo")),
        lambda m: (m.proc("tcp6", f"0: {SIX}:0016 {SIX}:D431 01"), addresses(m, "2001:db8::2")),
        lambda m: (m.proc("tcp6", f"0: {SIX}:0016 {SIX}:D431 06"), addresses(m, "2001:db8::1")),
        lambda m: (m.device(ADDRESS) / "sriov_numvfs").write_text("0\n"),
    ],
)
def test_what_stands_on_another_port_or_is_only_its_own_network_does_not_keep_it(
    machine: Machine, lay: Callable[[Machine], object]
) -> None:
    lay(machine)
    port = machine.port()
    assert why_not_bind(port, Words(give_up=frozenset(port.addresses))) is None


@pytest.mark.parametrize("address", ["10.0.2.10", "2001:db8::1"])
def test_a_port_with_an_address_is_kept_until_it_is_typed(
    machine: Machine, address: str, tmp_path: Path
) -> None:
    """A server that listens on every address, with nobody logged in, shows in no table of this port."""
    addresses(machine, address, "fe80::1")
    kernel, state = Kernel(machine), tmp_path / "state"
    with pytest.raises(NicError, match=f"--give-up {address}"):
        bind(machine.port(), kernel, state, lambda: None, lambda _: None)
    assert kernel.writes == []
    words = Words(give_up=frozenset({address}))
    bind(machine.port(), kernel, state, lambda: None, lambda _: None, words=words)
    assert kernel.driver() == VFIO


def test_an_address_that_is_typed_and_is_elsewhere_means_another_port(machine: Machine) -> None:
    words = Words(give_up=frozenset({"10.9.9.9"}))
    assert why_not_bind(machine.port(), words) is None  # of nobody: it was given up before
    (machine.root / "addresses/eno1").write_text("10.9.9.9\n")
    assert "10.9.9.9 is to be given up and is on another port than ens1" in str(
        why_not_bind(machine.port(), words)
    )
    (machine.root / "addresses/eno1").write_text("no address\n")
    assert "cannot be read" in str(why_not_bind(machine.port(), words))
    assert why_not_bind(machine.port()) is None


@pytest.mark.parametrize("name", ["ens1", ADDRESS, "52:54:00:ab:cd:ef", "52:54:00:AB:CD:EF"])
def test_a_management_port_is_never_bound(machine: Machine, name: str) -> None:
    (machine.device(ADDRESS) / "net/ens1/address").write_text("52:54:00:ab:cd:ef\n")
    assert "is a management port" in str(why_not_bind(machine.port(), Words(management=frozenset({name}))))
    assert why_not_bind(machine.port(), Words(management=frozenset({"eno9"}))) is None


def test_a_port_whose_interface_is_in_another_namespace_is_kept(machine: Machine) -> None:
    (machine.device(ADDRESS) / "net/ens1").rmdir()
    assert "another network namespace" in str(why_not_bind(machine.port()))
    assert why_not_bind(replace(machine.port(), driver="uio_pci_generic")) is None
