"""Market data by DPDK on a real kernel, behind an emulated IOMMU: a host hands both LAN ports to vfio-pci.

A lab of its own: `ops` with the venue, and an engine host that has an IOMMU. The engine runs as a plain user
and holds no kernel socket for the feed; beside the venue runs the same program on kernel sockets, and both
books must be equal. Nothing can be asked for again, so nothing may be lost. Three boots; counts, no
microseconds. HFT_NATIVE_BUILD names a build with -DHFT_DPDK=ON, else one is made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.conformance.bench import wide_limits
from engine.conformance.signing import Signer
from engine.contract import CONTRACT_VERSION
from engine.contract.canonical import canonical
from engine.contract.metrics import read_page
from engine.host import nic, port_use
from engine.toolchain.build import build
from lab.driver import Lab
from lab.machine import Machine
from lab.spec import SITE, Link
from tests.support.engine.dpdk import NATIVE_BUILDS, given_build, why_not
from tests.support.engine.site import ASK
from tests.support.waiting import until

pytestmark = [pytest.mark.drill, pytest.mark.engine, pytest.mark.timeout(3000)]
PLACE, USER = "/var/lib/hft-dpdk", "daemon"
LINES = {"A": (Link.A, "239.77.1.1"), "B": (Link.B, "239.77.2.1")}
PORT = 26400
MARKET = {
    "kind": "synthetic", "autostart": False, "mix": "burst", "live": 10_000, "messages": 120_000,
    "messages_per_s": 8_000, "per_datagram": 20, "seed": 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Host:
    """One VM and what this test does on it."""

    machine: Machine

    def sh(self, script: str) -> str:
        return self.machine.succeed(["sh", "-c", script])

    def put(self, name: str, data: bytes, mode: str = "644") -> str:
        path = f"{PLACE}/{name}"
        self.machine.succeed(["sh", "-c", f"cat >{path} && chmod {mode} {path}"], stdin=data)
        return path

    def ask(self, name: str, verb: str) -> dict[str, Any]:
        """One request to an admin socket below PLACE."""
        argv = ["python3", "-c", ASK, f"{PLACE}/{name}"]
        answer: dict[str, Any] = json.loads(
            self.machine.succeed(argv, stdin=json.dumps({"verb": verb}).encode())
        )
        return answer

    def metrics(self) -> dict[str, int]:
        """Single values of the engine's page."""
        page = bytes.fromhex(self.sh(f"od -An -v -tx1 {PLACE}/run/metrics | tr -d ' \\n'"))
        return {name: entry.values[0] for name, entry in read_page(page).entries.items()}

    def nic(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The shipped tool, with the one module it needs."""
        done = self.machine.execute(["env", f"PYTHONPATH={PLACE}", "python3", "-m", nic.__name__, *words])
        return done.returncode, json.loads(done.stdout)

    def interface(self, link: Link) -> str | None:
        """Name of the kernel's interface on a LAN; None when the kernel does not have the port."""
        mac = self.machine.spec.mac(link)
        found = self.sh(f"grep -l {mac} /sys/class/net/*/address || true").split()
        return found[0].split("/")[4] if found else None

    def address(self, link: Link) -> str:
        """PCI address of a LAN's port, while the kernel has it."""
        return Path(self.sh(f"readlink -f /sys/class/net/{self.interface(link)}/device").strip()).name


@pytest.fixture(scope="module")
def programs() -> Path:
    if reason := why_not():
        pytest.skip(reason)
    return (given_build() or build(*NATIVE_BUILDS[0], print)) / "bin"


@pytest.fixture(scope="module")
def hosts(programs: Path) -> Iterator[tuple[Host, Host]]:
    """ops, and an engine host with an IOMMU; programs, libraries and the tool are on both."""
    lab = Lab.named(f"dpdk-{os.getpid()}")
    try:
        machines = lab.up((SITE["ops"], replace(SITE["engine-2"], iommu=True)), print)
        ops, engine = (Host(machine) for machine in machines)
        for host in (ops, engine):
            equip(host, programs)
        yield ops, engine
    finally:
        lab.down(print)


def equip(host: Host, programs: Path) -> None:
    """Binaries, and those of their libraries that the host does not have."""
    host.sh(f"mkdir -p {PLACE}/lib {PLACE}/run")
    host.sh("sysctl -q -w net.core.rmem_max=67108864 net.core.wmem_max=67108864")
    host.sh(f"mkdir -p {PLACE}/engine/host")
    for file in (Path(nic.__file__), Path(port_use.__file__)):
        host.put(f"engine/host/{file.name}", file.read_bytes())
    for name in ("hft-engine", "hft-venue"):
        host.put(name, (programs / name).read_bytes(), "755")
        listed = subprocess.run(["ldd", programs / name], capture_output=True, text=True, check=True).stdout
        paths = {line.split()[0]: line.split()[2] for line in listed.splitlines() if "=> /" in line}
        lacking = host.sh(f"ldd {PLACE}/{name} | awk '/not found/ {{print $1}}'").split()
        for library in lacking:
            host.put(f"lib/{library}", Path(paths[library]).read_bytes())


def start(host: Host, unit: str, *command: str, user: str = "root") -> None:
    """A transient unit, with the memory limit that polled ports need: DPDK reserves address space."""
    wishes = (f"User={user}", "LimitMEMLOCK=infinity", f"Environment=LD_LIBRARY_PATH={PLACE}/lib")
    properties = [word for wish in wishes for word in ("--property", wish)]
    host.machine.succeed(["systemd-run", "--quiet", f"--unit={unit}", *properties, *command])


def configure(host: Host, *, devices: dict[str, str]) -> None:
    """The engine's files on a host: signed limits, and its lines on sockets or on these PCI devices."""
    run = f"{PLACE}/run"
    feeds = [
        {"line": line, "group": group, "port": PORT, "interface": host.machine.spec.address(link)}
        | ({"dpdk": {"pci": devices[line]}} if devices else {})
        for line, (link, group) in LINES.items()
    ]
    config: dict[str, Any] = {
        "contract": CONTRACT_VERSION, "name": host.machine.name, "slot": "a", "egress": "test",
        "venue_profile": "ouch5-2023-05", "feeds": feeds, "rerequest": None, "feed_stale_ms": 3_600_000,
        "gateway": None, "dropcopy": None, "ticket_socket": None, "admin_socket": f"{run}/admin",
        "metrics_page": f"{run}/metrics", "journal_directory": f"{run}/journal", "latch_file": f"{run}/latch",
        "limits_file": f"{PLACE}/limits", "allowed_signers": f"{PLACE}/allowed_signers",
        "ring_bytes": 1 << 22, "durability": "none", "idle": "backoff", "cpus": {},
        "drain_timeout_ms": 10_000, "journal_market": "ref", "book_orders_max": 1 << 16,
        "book_levels_max": 1 << 15,
    }  # fmt: skip
    if devices:
        config |= {"dpdk": {"descriptors": 1024}, "critical": ["dpdk"]}
    folder = Path(tempfile.mkdtemp())
    signer = Signer(folder)
    limits = {"serial": 1, "not_after_utc_ns": time.time_ns() + 86_400 * 10**9, "engine": wide_limits(["S0"])}
    data = canonical(limits)
    host.put("limits", data)
    host.put("limits.sig", signer.sign(data))
    host.put("allowed_signers", signer.allowed_signers.read_bytes())
    host.put("engine.json", json.dumps(config).encode())
    host.sh(f"chown -R {USER} {run}")
    shutil.rmtree(folder)


def venue_config(host: Host) -> dict[str, Any]:
    lines = [
        {"name": line, "targets": [f"{group}:{PORT}"], "interface": host.machine.spec.address(link)}
        for line, (link, group) in LINES.items()
    ]
    return {
        "symbols": 40, "feed": {"heartbeat_ms": 500, "lines": lines}, "source": MARKET,
        "admin": f"{PLACE}/venue.sock", "log": f"{PLACE}/venue.jsonl",
    }  # fmt: skip


def answers(host: Host) -> bool:
    done = host.machine.execute(["python3", "-c", ASK, f"{PLACE}/run/admin"], stdin=b'{"verb":"status"}')
    return done.returncode == 0


def has_all(host: Host, next_sequence: int) -> bool:
    return bool(host.ask("run/admin", "status")["feed"]["next_sequence"] == next_sequence)


def reaches(host: Host, address: str) -> bool:
    return host.machine.execute(["ping", "-c", "1", "-W", "2", address]).returncode == 0


def with_iommu(host: Host) -> None:
    """Boot it as the plan of a host with io_mode dpdk does."""
    before = host.machine.boot_id()
    arguments = "quiet intel_iommu=on iommu=pt"
    change = f's/^GRUB_CMDLINE_LINUX_DEFAULT=.*/GRUB_CMDLINE_LINUX_DEFAULT="{arguments}"/'
    host.sh(f"sed -i '{change}' /etc/default/grub && update-grub && sync")
    host.machine.execute(["systemctl", "reboot"])
    host.machine.wait_for_boot(after=before)


@pytest.fixture(scope="module")
def bound(hosts: tuple[Host, Host]) -> tuple[Host, Host, dict[str, str], dict[str, str]]:
    """Both LAN ports with vfio-pci: (ops, engine, PCI addresses, the names their interfaces had)."""
    ops, engine = hosts
    with_iommu(engine)
    for node, pages in ((0, 48), (1, 64)):
        sizes = f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB"
        engine.sh(f"echo {pages} >{sizes}/nr_hugepages")
        assert int(engine.sh(f"cat {sizes}/nr_hugepages")) == pages
    devices = {line: engine.address(link) for line, (link, _) in LINES.items()}
    names = {line: str(engine.interface(link)) for line, (link, _) in LINES.items()}
    for line, address in devices.items():
        lost = engine.machine.spec.address(LINES[line][0])
        code, said = engine.nic("bind", address, "--owner", USER, "--give-up", lost)
        assert (code, said["driver"], said["interfaces"]) == (0, "vfio-pci", []), said
    return ops, engine, devices, names


def test_dma_is_remapped_and_ports_are_in_groups_of_their_own(
    bound: tuple[Host, Host, dict[str, str], dict[str, str]],
) -> None:
    _, engine, devices, _ = bound
    kernel = engine.sh("dmesg")
    assert "DMAR: IOMMU enabled" in kernel
    assert "DMAR-IR: Enabled IRQ remapping" in kernel
    groups = {line: engine.nic("status", address)[1]["group"] for line, address in devices.items()}
    assert None not in groups.values() and len(set(groups.values())) == len(LINES)
    assert len(engine.sh("ls /sys/kernel/iommu_groups").split()) >= 4


def test_the_port_that_people_come_in_by_is_never_taken(
    bound: tuple[Host, Host, dict[str, str], dict[str, str]],
) -> None:
    _, engine, devices, _ = bound
    device = engine.sh(f"readlink -f /sys/class/net/{engine.interface(Link.MGMT)}/device").strip()
    address = next(part for part in reversed(Path(device).parts) if nic.ADDRESS.fullmatch(part))
    code, said = engine.nic("bind", address)
    assert code == nic.EXIT_NOT_SAFE, said
    assert answers_ssh(engine)
    code, said = engine.nic("bind", devices["A"], "--owner", USER)
    assert (code, "already" in said["done"]) == (0, True), "a second bind changes nothing"


def answers_ssh(host: Host) -> bool:
    return host.machine.execute(["true"]).returncode == 0


def test_book_by_dpdk_equals_the_book_beside_the_venue_and_ports_go_back(
    bound: tuple[Host, Host, dict[str, str], dict[str, str]],
) -> None:
    ops, engine, devices, names = bound
    for host, given in ((ops, {}), (engine, devices)):
        configure(host, devices=given)
        user = USER if given else "root"
        program = (f"{PLACE}/hft-engine", "--config", f"{PLACE}/engine.json")
        start(host, "dpdk-engine", *program, user=user)
    for host in (ops, engine):
        until(partial(answers, host), f"the engine of {host.machine.name}", 120, every_s=1)
    config = ops.put("venue.json", json.dumps(venue_config(ops)).encode())
    start(ops, "dpdk-venue", f"{PLACE}/hft-venue", "--config", config)
    assert until(lambda: ops.ask("venue.sock", "start"), "the venue", 300, every_s=1)["ok"]
    until(lambda: ops.ask("venue.sock", "status")["source_done"], "the market's end", 900, every_s=1)
    sent = ops.ask("venue.sock", "status")
    wanted = sent["next_sequence"]
    for host in (ops, engine):
        until(partial(has_all, host, wanted), f"the whole stream on {host.machine.name}", 120, every_s=1)
    digests = {host.machine.name: host.ask("run/admin", "digest")["book_digest"] for host in (ops, engine)}
    lost = {host.machine.name: host.metrics()["engine_feed_lost_total"] for host in (ops, engine)}
    assert not any(lost.values()), (lost, sent["lines"], ops.sh("dmesg | tail -n 20; ip -s link"))
    seen = engine.metrics()
    print(wanted, digests, {name: value for name, value in seen.items() if "dpdk" in name})
    assert len(set(digests.values())) == 1
    assert seen["engine_feed_messages_total"] == wanted - 1 >= 100_000
    for line in "ab":
        assert seen[f"engine_dpdk_{line}_datagrams_total"] >= 0.9 * sent["lines"][line.upper()]["datagrams"]
        assert seen[f"engine_dpdk_{line}_reports_sent_total"] >= 2
        for what in ("malformed", "bad_checksum", "missed", "no_mbuf"):
            assert seen[f"engine_dpdk_{line}_{what}_total"] == 0, what
    assert engine.interface(Link.A) is None, "the kernel does not have the port"
    assert "DMAR: [" not in engine.sh("dmesg"), "no access outside of what was mapped"

    code, said = engine.nic("release", devices["A"])
    assert code == nic.EXIT_NOT_SAFE, said
    engine.sh("systemctl stop dpdk-engine")
    for line, address in devices.items():
        code, said = engine.nic("release", address)
        assert (code, said["driver"], said["interfaces"]) == (0, "e1000e", [names[line]]), said
    for link, _ in LINES.values():
        there = ops.machine.spec.address(link)
        until(partial(reaches, engine, there), f"{there} by the kernel's own driver again", 60, every_s=1)
