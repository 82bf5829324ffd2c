"""The unit of an engine: kept as files for review, accepted by systemd itself, nothing injectable.

`HFT_UPDATE_GOLDEN=1 pytest tests/unit/deploys/engines` writes the files.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploys.artifact.placement import place
from deploys.artifact.unit import engine_unit, start_argv, ticket_unit
from engine.contract.manifest import Manifest
from tests.unit.deploys.engines.rig import manifest_of, plan_of, thread

GOLDEN = Path(__file__).parents[3] / "cases" / "engine"
DIGEST = "sha256:" + "d" * 64
FIFO = [
    thread("rx", "md-rx", "isolated", policy="fifo", priority=50),
    thread("hot", "hot", "isolated", policy="fifo", priority=40),
    thread("admin", "admin"),
]
JAVA = {"interpreter": ["java", "-Xmx2g"], "program": "acme", "arguments": ["--mode", "a b%$"]}
UNITS: dict[str, tuple[Manifest, str, str]] = {
    "lab": (manifest_of(), "lab-rt", "lab-vm"),
    "real-time": (manifest_of(threads=FIFO), "lab-rt", "bare-metal"),
    "java-four-sockets": (manifest_of(exec=JAVA), "four-sockets", "bare-metal"),
    "cloud": (manifest_of(), "cloud-two-cores-smt", "cloud"),
}


def unit(name: str, **changes: Any) -> str:
    manifest, case, host_class = UNITS[name]
    plan = plan_of(case)
    placement = place(manifest, plan, taken={})
    return engine_unit(
        manifest, DIGEST, placement, slot="a", host_class=host_class, plan_hash=plan.plan_hash, **changes
    )


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
def test_systemd_accepts_every_line(name: str, tmp_path: Path) -> None:
    """systemd-analyze(1) `verify` names unknown keys and bad values; the programs are put where it looks."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    release = f"/opt/hft/releases/{'d' * 64}/acme"
    text = unit(name).replace(release, str(program)).replace("ExecStart=java", f"ExecStart={program}")
    (tmp_path / "hft-engine-a.service").write_text(text)
    (tmp_path / "hft-ticket.service").write_text(ticket_unit())
    (tmp_path / "hft-engine.slice").write_text("[Slice]\nAllowedCPUs=0-3\n")
    paths = [str(tmp_path / one) for one in ("hft-engine-a.service", "hft-ticket.service")]
    done = subprocess.run(
        [tool, "verify", "--man=no", "--recursive-errors=no", *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "hft-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_verifier_would_notice_a_bad_line(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "hft-engine-a.service"
    path.write_text("[Service]\nExecStart=/bin/true\nAllowedCPUs=x\nNoSuchKey=1\n")
    done = subprocess.run(
        [tool, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    assert "NoSuchKey" in done.stderr
    assert "AllowedCPUs" in done.stderr or "cpu" in done.stderr.lower()


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


def test_words_of_a_manifest_cannot_become_settings() -> None:
    assert start_argv(UNITS["java-four-sockets"][0], DIGEST)[-1] == '"a b%%$$"'
    for evil in ("a\nExecStartPre=/bin/sh", "a\x0bb"):
        exec_ = {"interpreter": [], "program": "acme", "arguments": [evil]}
        with pytest.raises(ValueError, match="cannot stand on a command line"):
            start_argv(manifest_of(exec=exec_), DIGEST)
