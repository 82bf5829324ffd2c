"""Hot threads stay off slow cores, whichever file of the kernel says that they are slow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, machine
from tuning.cpuset import CpuSet
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

CPU = "/sys/devices/system/cpu/cpu{}"
BIG = ("two-sockets-nic-on-node-1", "four-sockets", "snc2", "hundred-and-twenty-eight", "nps4-small-caches")


def hot_of(snapshot: Snapshot) -> CpuSet:
    return plan(read_topology(snapshot), ENGINE).cpus_of("engine", "poll")


def by_frequency(snapshot: Snapshot, slow: CpuSet, mhz: int) -> Snapshot:
    online = read_topology(snapshot).usable
    files = {
        CPU.format(cpu) + "/cpufreq/cpuinfo_max_freq": f"{mhz if cpu in slow else 4800}000\n"
        for cpu in online
    }
    return replace(snapshot, files={**snapshot.files, **files})


def by_kind(snapshot: Snapshot, slow: CpuSet, kind: str) -> Snapshot:
    return replace(snapshot, files={**snapshot.files, f"/sys/devices/{kind}/cpus": slow.list_text() + "\n"})


@pytest.mark.parametrize("case", BIG)
def test_slow_cores_are_never_hot_while_fast_ones_are_left(case: str) -> None:
    snapshot = machine(CASES[case])
    topology = read_topology(snapshot)
    hot = hot_of(snapshot)
    slow = CpuSet.of(cpu for core in topology.cores if core.cpus & hot for cpu in list(core.cpus)[:99])
    slow = CpuSet.of(list(slow)[: max(2, len(slow) // 2)])
    whole = CpuSet.of(cpu for core in topology.cores if core.cpus & slow for cpu in core.cpus)
    for changed in (
        by_frequency(snapshot, whole, 2100),
        by_kind(snapshot, whole, "cpu_atom"),
        by_kind(snapshot, whole, "cpu_lowpower"),
    ):
        assert not hot_of(changed) & whole


@pytest.mark.parametrize("case", BIG)
def test_cores_that_boost_a_little_higher_are_no_other_kind(case: str) -> None:
    snapshot = machine(CASES[case])
    hot = hot_of(snapshot)
    assert hot_of(by_frequency(snapshot, hot, 4500)) == hot
