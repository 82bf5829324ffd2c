"""What each unit of ours may do, scored by systemd: at most half of what root may, or a line has its why."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from agent.boot.grub_adopt import HEALTH_UNITS
from agent.install.units import UNITS
from deploys.slot.unit import ticket_unit
from deploys.tune.render import render
from tests.support import needs
from tests.support.engine.deploy import plan_of
from tests.support.engine.units import UNITS as ENGINES
from tests.support.engine.units import unit as engine_unit

TOOL = "systemd-analyze"
pytestmark = needs.programs(TOOL)
SCORE_MAX = 5.0
SECCOMP = "it is a seccomp program, which would run before every system call of the hot path"
# What an engine keeps, and why.
KEPT = {
    **dict.fromkeys(("SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies"), SECCOMP),
    **dict.fromkeys(("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"), SECCOMP),
    **dict.fromkeys(("LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices"), SECCOMP),
    **dict.fromkeys(("ProtectClock", "ProtectHostname", "ProtectKernelLogs"), SECCOMP),
    **dict.fromkeys(("ProtectKernelModules", "ProtectKernelTunables"), SECCOMP),
    "IPAddressDeny": "it is a BPF program, which would run for every packet",
    "PrivateNetwork": "it trades over the host's ports",
    "ProcSubset": "runtimes read /proc/cpuinfo and /proc/meminfo",
    "PrivateUsers": "the ticket issuer and vfio know the account by its number on the host",
    "RootDirectory": "an engine uses the libraries of the host that its manifest names",
    "DeviceAllow": "a kernel-bypass card needs its devices",
}
STANDIN = "hft-standin@.service"
OURS: dict[str, str] = {
    **UNITS,
    **HEALTH_UNITS,
    "hft-ticket.service": ticket_unit(),
    **{f"hft-engine-{name}.service": engine_unit(name) for name in ENGINES},
    STANDIN: next(file.content for file in render(plan_of(), standins=True) if file.path.endswith(STANDIN)),
}


def score(text: str, name: str, folder: Path) -> tuple[float, set[str]]:
    """The exposure of a unit that lies in FOLDER, from 0 to 10, and the settings that add to it."""
    (folder / name).write_text(text)
    argv = [TOOL, "security", "--offline=true", "--no-pager", str(folder / name)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    return float(found.group(1)), set(re.findall(r"^✗ (\w+)=", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith("hft-engine-")])
def test_a_unit_keeps_at_most_half_of_what_root_may(name: str, tmp_path: Path) -> None:
    assert score(OURS[name], name, tmp_path)[0] <= SCORE_MAX


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_keeps_only_what_would_cost_it_latency_or_its_job(name: str, tmp_path: Path) -> None:
    unit = f"hft-engine-{name}.service"
    _, kept = score(OURS[unit], unit, tmp_path)
    assert kept
    assert kept <= set(KEPT)


def test_a_unit_that_gives_nothing_up_would_be_noticed(tmp_path: Path) -> None:
    exposure, kept = score("[Service]\nExecStart=/bin/true\n", "x.service", tmp_path)
    assert exposure > 9
    assert not kept <= set(KEPT)


@pytest.mark.parametrize("name", [*UNITS, *HEALTH_UNITS, STANDIN])
def test_systemd_knows_every_line(name: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / name).write_text(OURS[name].replace("/usr/bin/python3", str(program)).replace("=%i", "=1"))
    argv = [TOOL, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in done.stderr.splitlines() if name in line] == [], done.stderr
