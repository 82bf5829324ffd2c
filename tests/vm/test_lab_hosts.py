"""The shared lab is what the documents say: nodes, NICs, links, clocks, a boot menu that survives
update-grub."""

from __future__ import annotations

import time

import pytest

from lab.machine import Machine
from lab.spec import Link

pytestmark = pytest.mark.vm


def test_each_host_runs_its_own_kernel(engine_rt: Machine, engine_generic: Machine) -> None:
    assert "PREEMPT_RT" in engine_rt.succeed(["uname", "-v"])
    assert "PREEMPT_RT" not in engine_generic.succeed(["uname", "-v"])


def test_the_trading_nics_are_on_the_second_node_and_management_is_not(engine_rt: Machine) -> None:
    # A virtio card has its node one level up.
    node = "$(cat $nic/device/numa_node $nic/device/../numa_node 2>/dev/null | head -n 1)"
    script = f"for nic in /sys/class/net/e*; do echo $(cat $nic/address) {node}; done"
    nodes = dict(line.split() for line in engine_rt.succeed(["sh", "-c", script]).splitlines())
    spec = engine_rt.spec
    assert nodes[spec.mac(Link.A)] == nodes[spec.mac(Link.B)] == "1"
    assert nodes[spec.mac(Link.MGMT)] in {"-1", "0"}
    assert engine_rt.succeed(["cat", "/sys/devices/system/node/node1/cpulist"]) == "1-3\n"


def test_update_grub_finds_the_menu_as_the_image_wrote_it(engine_generic: Machine) -> None:
    script = "grub-mkconfig -o /tmp/grub.cfg 2>/dev/null && cat /tmp/grub.cfg && rm /tmp/grub.cfg"
    fresh = engine_generic.succeed(["sh", "-c", script], timeout_s=400)
    root = engine_generic.succeed(["findmnt", "--noheadings", "--output", "UUID", "/"]).strip()
    body = engine_generic.succeed(["sed", "/hft/d", "/etc/fstab"])
    assert f"UUID={root}" in body
    assert f"root=UUID={root} ro console=ttyS0,115200 no_timer_check quiet" in fresh
    assert "loop" not in fresh


def test_the_watchdog_of_the_machine_is_the_first(engine_rt: Machine) -> None:
    assert engine_rt.succeed(["cat", "/sys/class/watchdog/watchdog0/identity"]).startswith("i6300ESB")


def test_a_pulled_cable_is_seen_and_plugged_in_again(engine_rt: Machine, engine_generic: Machine) -> None:
    ping = ["ping", "-c", "2", "-w", "10", "-q", engine_generic.spec.address(Link.A)]
    engine_rt.succeed(ping)
    engine_rt.block(Link.A)
    try:
        assert engine_rt.execute(ping).returncode != 0
        other = engine_generic.spec.address(Link.B)
        engine_rt.succeed(["ping", "-c", "2", "-w", "10", "-q", other])
    finally:
        engine_rt.unblock(Link.A)
    engine_rt.wait_until(lambda: engine_rt.execute(ping).returncode == 0, what="link a again", timeout_s=60)


def guest_uptime_s(machine: Machine) -> float:
    return float(machine.succeed(["cat", "/proc/uptime"]).split()[0])


@pytest.mark.parametrize("guest_clock_stops", [True, False])
def test_a_frozen_host_misses_the_gap_only_if_its_clock_stopped(
    engine_generic: Machine, guest_clock_stops: bool
) -> None:
    gap_s = 40.0
    before_s, host_before_s = guest_uptime_s(engine_generic), time.monotonic()
    engine_generic.freeze(guest_clock_stops=guest_clock_stops)
    time.sleep(gap_s)
    engine_generic.thaw()
    missed_s = (time.monotonic() - host_before_s) - (guest_uptime_s(engine_generic) - before_s)
    assert (missed_s > gap_s / 2) is guest_clock_stops
