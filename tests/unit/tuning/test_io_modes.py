"""I/O modes: each decides kernel, IOMMU, polling and timers; any two differ, contradictions are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import get_args

import pytest

from tests.cases.machines import CASES, machine
from tuning.errors import PlanError
from tuning.plan.io_mode import MODES as TABLE
from tuning.plan.io_mode import mode_of
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, IoMode, Port, Ports
from tuning.plan.refusal import Code
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology

MODES: tuple[IoMode, ...] = get_args(IoMode)
BIG = read_topology(machine(CASES["two-sockets-nic-on-node-1"]))
RT = read_topology(machine(CASES["lab-rt"]))
REFUSED = ("one-cpu", "two-cpus", "two-cores-of-four-threads-each-refused")

# What a mode adds to or changes of an interrupt-driven host, line by line.
GOLDEN: Mapping[IoMode, Mapping[str, str | None]] = {
    "kernel_interrupt": {},
    "kernel_busy_poll": {"net.core.busy_poll": "50", "net.core.busy_read": "50"},
    "af_xdp": {"net.core.bpf_jit_enable": "1"},
    "dpdk": {"cmdline.intel_iommu": "on", "kernel.timer_migration": "0"},
    "onload": {"cmdline.iommu": "off", "kernel.timer_migration": "0"},
}


def on(topology: Topology, mode: IoMode | None, kernel: str | None = None) -> Plan:
    return plan(topology, replace(ENGINE, io_mode=mode, kernel_release=kernel))


def values(made: Plan) -> dict[str, str]:
    return {one.key: one.value for one in made.settings}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_changes_exactly_what_it_says(mode: IoMode) -> None:
    before, after = values(on(BIG, "kernel_interrupt")), values(on(BIG, mode))
    keys = before.keys() | after.keys()
    assert {key: after.get(key) for key in keys if before.get(key) != after.get(key)} == GOLDEN[mode]
    assert after["cmdline.iommu"] == ("off" if mode == "onload" else "pt")


# Of a named port in each mode: wait of interrupts, deferred ones, queues and rings, merged frames.
KNOBS = ("coalesce.rx_usecs", "napi_defer", "channels.combined", "rings.rx", "features.gro")
PORT_GOLDEN: Mapping[IoMode, tuple[str | None, ...]] = {
    "kernel_interrupt": ("0", "0", "2", "4096", "1"),
    "kernel_busy_poll": ("0", "2", "2", "1024", "0"),
    "af_xdp": ("0", "2", "1", "2048", "0"),
    "dpdk": (None, None, None, None, None),
    "onload": ("60", None, None, None, None),
}


DECIDED = (
    "kernel",
    "rx_usecs",
    "timer_migration",
    "iommu",
    "busy_poll_us",
    "napi_defer",
    "queues",
    "rx_ring",
)


def test_any_two_modes_decide_something_differently() -> None:
    rows = {mode: tuple(getattr(TABLE[mode], name) for name in DECIDED) for mode in MODES}
    assert len(set(rows.values())) == len(MODES) == 5, rows


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_decides_what_the_driver_of_a_named_port_is_told(mode: IoMode) -> None:
    port = BIG.nics[-1].name
    made = values(plan(BIG, replace(ENGINE, io_mode=mode), Ports(ports=(Port(word=port, use="orders"),))))
    assert tuple(made.get(f"nic.{knob}.{port}") for knob in KNOBS) == PORT_GOLDEN[mode]


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_plans_of_any_two_modes_differ_on_every_machine(name: str) -> None:
    topology = read_topology(machine(CASES[name]))
    possible = [mode for mode in MODES if mode != "kernel_busy_poll" or not topology.is_realtime]
    made = {mode: on(topology, mode) for mode in possible}
    for one, other in combinations(possible, 2):
        assert values(made[one]) != values(made[other]), (one, other)


def test_no_mode_is_busy_polling_where_the_kernel_has_it_and_interrupts_on_preempt_rt() -> None:
    assert mode_of(ENGINE, BIG) == "kernel_busy_poll"
    assert mode_of(ENGINE, RT) == "kernel_interrupt"
    assert values(on(BIG, None)) == values(on(BIG, "kernel_busy_poll"))


@pytest.mark.parametrize(("topology", "kernel"), [(RT, None), (BIG, "6.1.0-28-rt-amd64"), (BIG, "6.1-rt")])
def test_busy_polling_on_a_preempt_rt_kernel_is_refused(topology: Topology, kernel: str | None) -> None:
    with pytest.raises(PlanError, match="no busy polling of sockets") as refusal:
        on(topology, "kernel_busy_poll", kernel)
    assert refusal.value.code == Code.IO_MODE_CONTRADICTS
    assert on(RT, "kernel_busy_poll", "6.1.0-28-amd64").settings, "the planned kernel decides"


def test_the_iommu_stays_where_interrupts_need_it() -> None:
    large = read_topology(machine(CASES["over-a-thousand"]))
    assert values(on(large, "onload"))["cmdline.iommu"] == "pt"


def test_an_amd_host_is_not_told_about_intels_iommu() -> None:
    made = values(on(replace(BIG, cpu_vendor="AuthenticAMD"), "dpdk"))
    assert "cmdline.intel_iommu" not in made and made["cmdline.iommu"] == "pt"
