"""A clock's transactions through the agent's own code on a root directory, and its units before systemd."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.host import HostRoot
from agent.transaction import journal
from agent.transaction.staleness import topology_digest
from deploys.clock.changes import MASKED, PROGRAMS, decide_clock, files_asked
from deploys.clock.client import transaction
from deploys.clock.files import clock_files
from deploys.slot.slot_state import Seen, Unit
from tests.support import needs, transactions
from tests.support.engine.deploy import host_of, seen_of
from tuning.clock.plan import ClockPlan, plan_clock
from tuning.clock.wish import ClockWish
from tuning.cpuset import CpuSet
from tuning.units import CLOCK_UNITS, OTHER_CLOCK_WRITERS, UNIT_DIR

CLIENT = ClockWish(role="client", port="e0", watch=("192.0.2.9",))
SOURCE = ClockWish(role="grandmaster", port="e0", sources=("192.0.2.1",), watch=("192.0.2.9",))
BOUNDARY = replace(CLIENT, role="boundary", serves=("e1",), stamps="software")


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return transactions.small_host(tmp_path)


def planned(wish: ClockWish) -> ClockPlan:
    return plan_clock("engine-1", wish, CpuSet.of([1]))


def looked(host: HostRoot) -> Seen:
    """What the deploy's look would bring of this root; a unit runs where it is enabled."""
    files = {}
    for path in files_asked():
        there = Path(host.path(path))
        is_there = there.is_file() or there.is_symlink()
        files[path] = (
            hashlib.sha256(b"" if there.is_symlink() else there.read_bytes()).hexdigest()
            if is_there
            else "absent"
        )
    wants = Path(host.path(f"{UNIT_DIR}/multi-user.target.wants"))
    units = {
        unit: Unit(active=on, enabled=on, exe=None)
        for unit in CLOCK_UNITS
        if (on := (wants / unit).is_symlink())
    }
    return seen_of(files=files, units=units, programs=dict.fromkeys(PROGRAMS, "/usr/sbin/x"))


def apply(host: HostRoot, wish: ClockWish) -> list[str]:
    """Decide by a look and send what is pending; the results."""
    work = decide_clock(host_of(), planned(wish), looked(host), engine_active=False)
    results: list[str] = []
    for steps in work.documents:
        document: dict[str, Any] = transaction(work, steps, journal.last_name(host))
        document |= {"machine_id": host.machine_id(), "topology_digest": topology_digest(host)}
        results.append(transactions.run(host, document).result)
    return results


@needs.programs("systemctl")
def test_the_agent_brings_a_clock_changes_its_role_and_then_has_nothing_to_do(host: HostRoot) -> None:
    assert apply(host, CLIENT) == ["applied"]
    for file in clock_files(planned(CLIENT)):
        assert Path(host.path(file.path)).read_bytes() == file.content
    seen = looked(host)
    assert {unit for unit, one in seen.units.items() if one.enabled} == {
        one.unit for one in planned(CLIENT).daemons
    }
    assert all(seen.files[f"{UNIT_DIR}/{unit}"] == MASKED for unit in OTHER_CLOCK_WRITERS)
    assert apply(host, CLIENT) == []
    assert apply(host, replace(CLIENT, domain=24)) == ["applied", "applied"]
    assert b"domainNumber 24\n" in Path(host.path("/etc/linuxptp/hft-ptp4l.conf")).read_bytes()
    assert apply(host, SOURCE)[-1] == "applied"
    assert apply(host, BOUNDARY)[-1] == "applied"
    seen = looked(host)
    gone = {path for path in files_asked() if seen.files[path] == "absent"}
    assert gone == {
        f"{UNIT_DIR}/hft-ntp.service",
        f"{UNIT_DIR}/hft-phc2sys.service",
        "/etc/chrony/hft-ntp.conf",
    }
    assert set(seen.units) == {one.unit for one in planned(BOUNDARY).daemons}
    assert apply(host, BOUNDARY) == []


@needs.programs("systemd-analyze")
@pytest.mark.parametrize("wish", [CLIENT, SOURCE, BOUNDARY], ids=lambda wish: wish.role)
def test_systemd_accepts_every_line_of_a_clocks_units(wish: ClockWish, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    paths = []
    for file in clock_files(planned(wish)):
        if not file.path.startswith(UNIT_DIR):
            continue
        text = file.content.decode()
        for name in ("ptp4l", "phc2sys", "chronyd"):
            text = text.replace(f"ExecStart=/usr/sbin/{name}", f"ExecStart={program}")
        text = text.replace("User=_chrony", "User=nobody")
        paths.append(tmp_path / Path(file.path).name)
        paths[-1].write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "hft-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
