"""Named ports and devices with a role, judged by the host's own word; unknown is neither ok nor violated."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.facts import Facts
from checks.ports import clock_daemon, device_interrupts, device_of, port_findings
from checks.reading import Task
from checks.verdict import Finding
from inventory.model import PtpEntry
from inventory.port_entry import PortEntry
from tuning.cpuset import CpuSet
from tuning.plan.setting import IrqPlacement, SliceCpus

NET = "/sys/class/net/ens1f0"
MOUNTS = """\
20 1 0:20 / / rw - ext4 /dev/sda rw
21 20 0:5 / /proc rw - proc proc rw
22 20 0:6 / /sys rw - sysfs sysfs rw
"""
FILES = {
    "/proc/self/mountinfo": MOUNTS,
    "/proc/sys/kernel/random/boot_id": "first\n",
    "/proc/interrupts": "      CPU0  CPU1\n 90:     1     0   PCI-MSI 1-edge      ice-0\n",
    f"{NET}/operstate": "up\n",
    f"{NET}/carrier": "1\n",
    f"{NET}/address": "52:54:00:00:00:01\n",
    f"{NET}/device/uevent": "DRIVER=ice\nPCI_CLASS=20000\nPCI_SLOT_NAME=0000:41:00.0\n",
    f"{NET}/device/numa_node": "1\n",
    f"{NET}/device/irq": "80\n",
    f"{NET}/device/msi_irqs/90": "msix\n",
    f"{NET}/device/ptp/ptp0/clock_name": "ice\n",
    "/sys/devices/system/node/node1/cpulist": "8-15\n",
    "/proc/irq/90/effective_affinity_list": "8\n",
}
FACTS = Facts(files=FILES, absent=frozenset({"/run/hft/irqs.json"}))


def facts(change: dict[str, str | None]) -> Facts:
    files = {**FILES, **change}
    return replace(FACTS, files={path: text for path, text in files.items() if text is not None})


def key_of(word: str) -> str:
    return "name" if ":" not in word else "pci" if "." in word else "mac"


def judged(found: Facts, **ports: Any) -> dict[str, tuple[str, str | None]]:
    ptp = ports.pop("ptp", None)
    named = [PortEntry.model_validate({key_of(word): word, "use": use}) for use, word in ports.items()]
    findings = port_findings(named, PtpEntry(port=ptp) if ptp else None, found)
    return {one.check: (one.verdict.value, one.reason) for one in findings}


@pytest.mark.parametrize("word", ["ens1f0", "0000:41:00.0", "52:54:00:00:00:01"])
def test_a_sound_port_is_ok_by_each_of_its_names(word: str) -> None:
    found = judged(FACTS, orders=word, ptp=word)
    assert set(found.values()) == {("ok", None)}
    assert {check.rpartition(".")[2] for check in found} == {"driver", "link", "interrupts", "clock"}
    assert device_of(word, FACTS) == "ens1f0"


@pytest.mark.parametrize(
    ("change", "what", "verdict"),
    [
        ({f"{NET}/carrier": "0\n", f"{NET}/operstate": "down\n"}, "link", ("violated", "port_no_link")),
        ({f"{NET}/carrier": None, f"{NET}/operstate": "unknown\n"}, "link", ("unverifiable", "not_read")),
        ({f"{NET}/device/uevent": ""}, "driver", ("unverifiable", "not_read")),
        ({f"{NET}/device/ptp/ptp0/clock_name": None}, "clock", ("violated", "port_no_clock")),
        ({"/proc/irq/90/effective_affinity_list": "0\n"}, "interrupts", ("violated", "irq_elsewhere")),
        ({"/proc/irq/90/effective_affinity_list": None}, "interrupts", ("unverifiable", "not_read")),
        ({f"{NET}/device/numa_node": "-1\n"}, "interrupts", ("unverifiable", "not_read")),
        ({"/sys/devices/system/node/node1/cpulist": None}, "interrupts", ("unverifiable", "not_read")),
        ({"/proc/interrupts": None}, "interrupts", ("unverifiable", "not_read")),
    ],
)
def test_each_fault_of_a_port_has_its_word(
    change: dict[str, str | None], what: str, verdict: tuple[str, str | None]
) -> None:
    assert judged(facts(change), ptp="ens1f0")[f"port.ptp.ens1f0.{what}"] == verdict


def test_a_port_that_is_absent_is_violated_by_name_and_unverifiable_by_address() -> None:
    assert judged(FACTS, orders="ens9") == {"port.orders.ens9": ("violated", "port_absent")}
    assert judged(FACTS, **{"feed-a": "0000:99:00.0"})["port.feed-a.0000:99:00.0"] == (
        "unverifiable",
        "not_read",
    )
    assert judged(Facts(files={}), **{"feed-a": "ens1f0"})["port.feed-a.ens1f0"] == (
        "unverifiable",
        "not_read",
    )
    assert judged(FACTS) == {}


def test_the_way_of_the_operator_is_not_asked_for_its_interrupts() -> None:
    assert {one.rpartition(".")[2] for one in judged(FACTS, management="ens1f0")} == {"driver", "link"}


def queues(found: Facts, cpus: frozenset[int]) -> Finding:
    setting = IrqPlacement(
        key="irq.device.ens1f0",
        device="ens1f0",
        cpus=CpuSet.of(cpus),
        mode="safe",
        risk="",
        source="",
        why="w",
    )
    return device_interrupts(setting, cpus, found)


def test_the_queues_of_a_device_are_on_its_irq_cores_or_held_there_by_the_kernel() -> None:
    assert queues(FACTS, frozenset({8})).verdict.value == "ok"
    assert queues(FACTS, frozenset({9})).reason == "irq_elsewhere"
    held = {"irq": 90, "actions": "ice-0", "cpus": "8", "wanted": "9", "error": "EIO"}
    record = json.dumps({"schema": 1, "boot_id": "first", "held": [held]})
    seen = replace(facts({"/run/hft/irqs.json": record}), absent=frozenset())
    assert queues(seen, frozenset({9})).verdict.value == "ok"


def daemon(found: Facts, unit: str) -> Finding:
    setting = SliceCpus(
        key=f"clock.daemon.{unit}", slice=unit, cpus=CpuSet.of([2]), mode="safe", risk="", source="", why="w"
    )
    return clock_daemon(setting, frozenset({2}), found)


@pytest.mark.parametrize(
    ("unit", "group"),
    [
        ("chrony.service", "/system.slice/chrony.service"),
        ("ptp4l@.service", "/system.slice/system-ptp4l.slice/ptp4l@ens1f0.service"),
    ],
)
def test_a_clock_daemon_runs_on_its_core(unit: str, group: str) -> None:
    def task(tid: int, cpus: set[int], where: str) -> Task:
        return Task(
            pid=tid, tid=tid, comm=f"t{tid}", flags=0, last_cpu=0, allowed=frozenset(cpus), cgroup=where
        )

    base = (task(1, {0}, "/init.scope"), task(2, {0}, "/"))
    good = replace(FACTS, tasks=(*base, task(9, {2}, group)), listed=3)
    assert daemon(good, unit).verdict.value == "ok"
    assert daemon(replace(good, tasks=(*base, task(9, {0, 2}, group))), unit).reason == "slice_cpus_differ"
    assert daemon(replace(good, tasks=(*base, task(9, {0}, "/system.slice/x.service"))), unit).verdict == "ok"
    assert daemon(replace(good, listed=9), unit).reason == "not_read"
