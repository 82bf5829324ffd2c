"""The unit of an engine: kept as files for review, accepted by systemd itself, nothing injectable.

`HFT_UPDATE_GOLDEN=1 pytest tests/unit/deploys/engines` writes the files.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex

import pytest

from deploys.slot.config import PolledPort, polled_ports
from deploys.slot.placement import place
from deploys.slot.unit import bind_argv, engine_unit, start_argv
from engine.host import nic
from tests.support.checkout import ROOT
from tests.support.engine.deploy import manifest_of, plan_of
from tests.support.engine.units import DIGEST, UNITS, unit

GOLDEN = ROOT / "tests" / "cases" / "engine"


def value(text: str, key: str) -> str:
    found = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]
    assert len(found) == 1, (key, found)
    return found[0]


@pytest.mark.parametrize("name", UNITS)
def test_unit_is_the_recorded_one(name: str) -> None:
    file = GOLDEN / f"{name}.service"
    if os.environ.get("HFT_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(unit(name))
    assert unit(name) == file.read_text()


@pytest.mark.parametrize("name", UNITS)
def test_every_setting_but_the_plain_ones_stands_below_a_why(name: str) -> None:
    paragraphs = unit(name).split("\n\n")
    assert all(part.lstrip().startswith(("#", "[")) or "User=" in part for part in paragraphs)
    assert unit(name).count("\n# ") >= 15


def test_a_stopped_engine_with_open_orders_or_a_broken_invariant_is_never_started_again() -> None:
    assert {"64", "69", "70"} == set(value(unit("lab"), "RestartPreventExitStatus").split())
    assert value(unit("lab"), "Restart") == "on-failure"


def test_stopping_is_given_longer_than_the_engine_promised() -> None:
    manifest = manifest_of()
    for name, stretch in (("lab", 12), ("cloud", 2), ("java-four-sockets", 1)):
        stop_s = int(value(unit(name), "TimeoutStopSec"))
        assert stop_s * 1000 > manifest.budgets.drain_ms * stretch


def test_no_seccomp_program_stands_in_front_of_the_hot_path() -> None:
    """What of systemd.exec(5) loads a seccomp filter is not used; a comment says so."""
    filters = ("SystemCall", "RestrictAddress", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID")
    others = ("LockPersonality", "MemoryDenyWrite", "ProtectKernel", "ProtectClock", "ProtectHostname")
    lines = [line for line in unit("lab").splitlines() if not line.startswith("#")]
    assert not [line for line in lines if line.startswith((*filters, *others, "PrivateDevices"))]


def test_threads_begin_on_housekeeping_cpus_inside_the_slots_own() -> None:
    text = unit("lab")
    found = tuple(value(text, key) for key in ("CPUAffinity", "AllowedCPUs", "NUMAMask"))
    assert found == ("0", "0,3", "1")


def test_memory_follows_no_node_where_nodes_are_not_known() -> None:
    plan = plan_of()
    cpus = tuple(dataclasses.replace(one, node=-1) for one in plan.cpus)
    placement = place(manifest_of(), dataclasses.replace(plan, cpus=cpus), taken={})
    text = engine_unit(manifest_of(), DIGEST, placement, slot="a", host_class="cloud", plan_hash="0" * 64)
    assert "NUMA" not in text


def test_a_polled_port_is_bound_before_each_start_and_the_ways_to_the_host_never_are() -> None:
    ports = [PolledPort(pci=f"0000:41:00.{n}", address=f"10.77.{n}.11") for n in (0, 1)]
    text = unit("real-time", polled=ports, management=("eno1", "52:54:00:AB:cd:ef"))
    program = "+/usr/bin/python3 -I -S /usr/local/lib/hft/ticket.pyz nic bind"
    assert [line for line in text.splitlines() if line.startswith("ExecStartPre=")] == [
        f"ExecStartPre={program} 0000:41:00.{n} --owner hft-engine --give-up 10.77.{n}.11"
        " --management=eno1 --management=52:54:00:AB:cd:ef"
        for n in (0, 1)
    ]
    argv = shlex.split(f"bind {' '.join(bind_argv(ports[0], ('eno1', '-x'))[2:])}")
    parsed = nic.arguments().parse_args(argv)
    assert (parsed.address, parsed.owner) == ("0000:41:00.0", "hft-engine")
    assert (parsed.give_up, parsed.management) == (["10.77.0.11"], ["eno1", "-x"])
    assert "ExecStartPre" not in unit("real-time")


def test_only_what_a_configuration_polls_is_taken_from_the_kernel() -> None:
    feeds = [
        {"line": "A", "interface": "10.77.1.11", "dpdk": {"pci": "0000:41:00.0"}},
        {"line": "B", "interface": "10.77.2.11", "dpdk": {"vdev": "net_af_packet0,iface=x"}},
        {"line": "C", "interface": "10.77.3.11", "dpdk": None},
        {"line": "D", "interface": "10.77.4.11"},
    ]
    found = polled_ports(json.dumps({"feeds": feeds}).encode())
    assert found == (PolledPort(pci="0000:41:00.0", address="10.77.1.11"),)


def test_words_of_a_manifest_cannot_become_settings() -> None:
    assert start_argv(UNITS["java-four-sockets"][0], DIGEST)[-1] == '"a b%%$$"'
    for evil in ("a\nExecStartPre=/bin/sh", "a\x0bb"):
        exec_ = {"interpreter": [], "program": "acme", "arguments": [evil]}
        with pytest.raises(ValueError, match=r"one printable line|cannot stand on a command line"):
            start_argv(manifest_of(exec=exec_), DIGEST)
