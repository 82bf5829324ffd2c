"""The command line says what the documents say; QEMU itself accepts the devices."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lab import process
from lab.errors import LabUsageError
from lab.image import Kernel
from lab.machine import Machine
from lab.paths import checked_name, lab_dir
from lab.ports import free_port, new_lan
from lab.qemu import Wiring, command_line
from lab.spec import SITE, HostRole, Link, Node, VmSpec, checked, nodes_of, specs_of
from lab.ssh import Login
from lab.state import spec_of
from tests.support import needs
from tests.support.small_lab import stand_in_for_qemu

UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
WIRING = Wiring(directory=Path("/l/x"), ssh_port=40000, lan_group="239.200.1.2", lan_ports=(1, 2), uuid="u")


STANDBY = VmSpec(
    name="standby",
    number=21,
    kernel=Kernel.GENERIC,
    role=HostRole.STANDBY,
    failure_domain="rack-s",
    nodes=nodes_of([(2, 512), (4, 1024)]),
    nic_node=1,
    threads_per_core=2,
)


def line(name: str) -> str:
    return " ".join(command_line(SITE[name], WIRING, accel="tcg", start=1))


def test_an_engine_has_two_nodes_and_its_trading_nics_on_the_second() -> None:
    text = line("engine-1")
    assert "nodeid=0,memdev=mem0,cpus=0 " in text
    assert "nodeid=1,memdev=mem1,cpus=1,cpus=2,cpus=3 " in text
    assert "pxb-pcie,id=node-bus,bus=pcie.0,bus_nr=64,numa_node=1" in text
    assert text.count("bus=node-bus") == 2


def test_sibling_threads_are_of_one_core_and_a_core_is_of_one_node() -> None:
    text = " ".join(command_line(STANDBY, WIRING, accel="tcg", start=1))
    assert "-smp 6,sockets=3,cores=1,threads=2 -m 1536M" in text
    assert "nodeid=1,memdev=mem1,cpus=2,cpus=3,cpus=4,cpus=5 " in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Stand by"}, "name 'Stand by'"),
        ({"name": "ops"}, "is a host of the fixed site; hint: hft lab up ops"),
        ({"failure_domain": "a/b"}, "name 'a/b'"),
        ({"number": 12}, "number 12 is that of engine-2"),
        ({"number": 0}, "number 0: use 1 to 254"),
        ({"number": 255}, "number 255: use 1 to 254"),
        ({"nodes": ()}, "0 NUMA nodes"),
        ({"nodes": nodes_of([(1, 512)] * 9), "threads_per_core": 1}, "9 NUMA nodes"),
        ({"nodes": nodes_of([(66, 512)])}, "with 66 CPUs"),
        ({"threads_per_core": 3}, "3 threads per core: use one of 1, 2, 4"),
        ({"nodes": nodes_of([(2, 512), (3, 512)])}, "NUMA node 1 has 3 CPUs, which is not a number of whole"),
        ({"nodes": nodes_of([(2, 512), (0, 512)])}, "NUMA node 1 has 0 CPUs"),
        ({"nodes": nodes_of([(2, 512), (2, 64)])}, "NUMA node 1 has 64 MiB"),
        ({"nic_node": 2}, "its NICs are on NUMA node 2, and it has 2"),
        ({"nic_node": -1}, "its NICs are on NUMA node -1"),
    ],
)
def test_a_host_that_no_vm_can_be_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(LabUsageError, match=re.escape(said)):
        checked(replace(STANDBY, **changed))


def test_a_host_that_a_vm_can_be_is_taken_as_it_is() -> None:
    assert checked(STANDBY) is STANDBY
    assert nodes_of([(2, 512), (1, 256)]) == (
        Node(cpus=(0, 1), memory_mib=512),
        Node(cpus=(2,), memory_mib=256),
    )


def test_nothing_is_reachable_from_outside_the_machine() -> None:
    for name in SITE:
        text = line(name)
        assert "restrict=on,hostfwd=tcp:127.0.0.1:40000-:22" in text
        assert text.count("localaddr=127.0.0.1") == 2
        assert "vnc" not in text


@needs.programs("qemu-img", "qemu-system-x86_64")
@pytest.mark.parametrize(
    "spec",
    [*SITE.values(), replace(SITE["engine-1"], iommu=True), STANDBY],
    ids=lambda spec: f"{spec.name} iommu={spec.iommu}",
)
def test_qemu_accepts_every_command_line(spec: VmSpec, tmp_path: Path) -> None:
    group, ports = new_lan()["group"], (free_port(), free_port())
    wiring = replace(
        WIRING, directory=tmp_path, ssh_port=free_port(), lan_group=group, lan_ports=ports, uuid=UUID
    )
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(wiring.disk), "16M"], check=True)
    for name in ("events.1.in", "events.1.out"):
        (tmp_path / name).touch()
    stopped = [*command_line(spec, wiring, accel="tcg", start=1), "-S"]
    try:
        done = subprocess.run(stopped, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert process.running_pid(wiring.pid_file) is not None
    finally:
        process.kill(wiring.pid_file)


def test_each_start_of_a_vm_keeps_its_own_start_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_qemu(tmp_path, monkeypatch)
    wiring = replace(WIRING, directory=tmp_path)
    login = Login(port=1, key=tmp_path, known_hosts=tmp_path)
    machine = Machine(spec=SITE["ops"], wiring=wiring, login=login, accel="tcg")
    kept = wiring.pid_file.with_suffix(".started")
    kept.write_text("1.0")  # of a start before
    machine.start()
    try:
        assert machine.is_running()
        assert float(kept.read_text()) > 1.0
        first = machine.pid()
        machine.power_cycle()
        assert machine.pid() not in (None, first)
    finally:
        machine.crash()
    assert not machine.is_running()


def test_no_two_hosts_share_an_address() -> None:
    macs = [spec.mac(link) for spec in SITE.values() for link in Link]
    assert len(set(macs)) == len(macs)
    assert len({spec.address(Link.A) for spec in SITE.values()}) == len(SITE)


def test_a_watchdog_really_resets() -> None:
    assert "-device i6300esb,bus=pcie.0 -action watchdog=reset" in line("engine-2")


def test_a_spec_survives_the_state_file() -> None:
    for spec in (*SITE.values(), STANDBY):
        assert spec_of(json.loads(json.dumps(asdict(spec)))) == spec


def test_an_unknown_host_is_named_with_the_known_ones() -> None:
    with pytest.raises(LabUsageError, match="engine-3; the hosts are engine-1, engine-2, ops"):
        specs_of(["engine-1", "engine-3"])


def test_no_names_mean_the_whole_site_and_a_repeated_name_counts_once() -> None:
    assert [spec.name for spec in specs_of([])] == ["engine-1", "engine-2", "ops"]
    assert len(specs_of(["ops", "ops"])) == 1


@pytest.mark.parametrize("name", ["", "../x", "a b", "A", "-x", "x" * 33])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(LabUsageError):
        checked_name(name)


def test_the_lab_directory_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HFT_LAB_DIR", str(tmp_path))
    assert lab_dir("a") == tmp_path / "a"
