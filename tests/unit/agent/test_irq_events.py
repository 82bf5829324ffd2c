"""What moves interrupts, told from what does not, in the kernel's own words; a sweep finds the rest."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from agent.host import HostRoot
from agent.netlink import attribute, attributes, multicast_group
from agent.paths import PLAN_FILE
from agent.verbs import irq_events, irqs
from agent.verbs.irq_events import moves_interrupts
from tests.unit.agent import boot_tree as tree

# In the kernel's form: ACTION@DEVPATH, then NAME=value.
CPU_BACK = (
    b"online@/devices/system/cpu/cpu3\0ACTION=online\0DEVPATH=/devices/system/cpu/cpu3\0SUBSYSTEM=cpu\0"
    b"DRIVER=processor\0MODALIAS=cpu:type:x86\0SEQNUM=2207\0"
)
REBOUND = (
    b"bind@/devices/pci0000:00/0000:00:03.0\0ACTION=bind\0DEVPATH=/devices/pci0000:00/0000:00:03.0\0"
    b"SUBSYSTEM=pci\0DRIVER=e1000e\0PCI_CLASS=20000\0SEQNUM=2251\0"
)
NEW_LINK = b"add@/devices/virtual/net/v0\0ACTION=add\0SUBSYSTEM=net\0INTERFACE=v0\0IFINDEX=7\0SEQNUM=2260\0"
DISK = b"change@/devices/virtual/block/loop0\0ACTION=change\0SUBSYSTEM=block\0DEVNAME=loop0\0SEQNUM=2262\0"
UNBOUND = REBOUND.replace(b"bind", b"unbind")


@pytest.mark.parametrize("uevent", [CPU_BACK, REBOUND, NEW_LINK, CPU_BACK.replace(b"online", b"offline")])
def test_what_moves_interrupts_is_heard(uevent: bytes) -> None:
    assert moves_interrupts(uevent)


@pytest.mark.parametrize(
    "uevent", [DISK, UNBOUND, b"", b"libudev\0\xfe\xed", b"ACTION=online", CPU_BACK[:40]]
)
def test_what_moves_none_is_not(uevent: bytes) -> None:
    assert not moves_interrupts(uevent)


def nested(*parts: bytes) -> bytes:
    return b"".join(attribute(index + 1, part) for index, part in enumerate(parts))


def answer(groups: bytes) -> bytes:
    return bytes(20) + attribute(2, b"ethtool\0") + attribute(7, groups)


MONITOR = nested(nested(b"monitor\0", struct.pack("=I", 9)))


def test_the_group_is_found_in_the_kernels_answer() -> None:
    assert multicast_group(answer(MONITOR), "monitor") == 9
    assert multicast_group(answer(MONITOR), "other") is None
    assert multicast_group(answer(b""), "monitor") is None


@pytest.mark.parametrize("cut", range(len(answer(MONITOR))))
def test_an_answer_that_was_cut_gives_no_group_and_no_error(cut: int) -> None:
    assert multicast_group(answer(MONITOR)[:cut], "monitor") is None


@pytest.mark.parametrize("length", [0, 1, 3, 200, 65535])
def test_an_attribute_of_impossible_length_ends_the_list(length: int) -> None:
    assert list(attributes(struct.pack("=HH", length, 1) + b"abcd")) == []


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    plan = {"settings": [{"kind": "irq_placement", "cpus": "0-1", "device": ""}]}
    tree.put(tmp_path, PLAN_FILE, json.dumps(plan))
    tree.put(tmp_path, "/proc/irq/default_smp_affinity", "3\n")
    tree.put(tmp_path, "/proc/sys/kernel/random/boot_id", "first\n")
    for number in (40, 41):
        tree.put(tmp_path, f"/proc/irq/{number}/smp_affinity_list", "0-1\n")
    return HostRoot(root=str(tmp_path))


def test_a_sweep_finds_what_nobody_told_of(host: HostRoot) -> None:
    assert irqs.place_after(host, ()) == "", "as planned: nothing to say"
    Path(host.path("/proc/irq/41/smp_affinity_list")).write_text("0-7\n")
    assert irqs.place_after(host, ()).startswith("sweep: 1 affinities set")
    assert host.read("/proc/irq/41/smp_affinity_list") == "0-1\n"


def test_a_wrong_cpu_is_left_within_five_seconds() -> None:
    longest = irqs.SWEEP_S + irq_events.QUIET_S
    assert longest <= 5 and irq_events.PATIENCE_S + irq_events.QUIET_S <= 5


def test_what_a_driver_forgot_is_written_again_and_nothing_else(host: HostRoot) -> None:
    net = "/sys/class/net/ens1f0/napi_defer_hard_irqs"
    settings = [
        {"kind": "sysfs_value", "path": net, "value": "2"},
        {"kind": "sysfs_value", "path": "/sys/class/net/ens1f0/mtu", "value": "9000"},
        {"kind": "sysfs_value", "path": "/sys/kernel/mm/ksm/run", "value": "0"},
        {"kind": "sysfs_value", "path": "/sys/class/net/gone/gro_flush_timeout", "value": "7"},
    ]
    for path in (net, "/sys/class/net/ens1f0/mtu", "/sys/kernel/mm/ksm/run"):
        tree.put(Path(host.root), path, "1500\n")
    Path(host.path(PLAN_FILE)).write_text(json.dumps({"settings": settings}))
    assert irqs.place_after(host, ()) == f"sweep: {net} set to 2"
    assert irqs.place_after(host, {"links"}) == ""
    assert host.read("/sys/class/net/ens1f0/mtu") == host.read("/sys/kernel/mm/ksm/run") == "1500\n"
