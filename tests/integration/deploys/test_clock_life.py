"""What keeps a host's time, brought for real: `hft clock apply` and stock pyinfra behind a real sshd.

The host has a real agent; systemctl.sh of the bench answers for systemd, so no daemon runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.target import Target
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.fake_host import NIC
from tests.support.made_target import made_target

pytestmark = [pytest.mark.long, needs.namespaces(), needs.programs("ptp4l", "chronyd")]
Run = Callable[..., subprocess.CompletedProcess[str]]
UNITS = ("hft-ptp4l.service", "hft-phc2sys.service", "hft-clock-watch.service")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with made_target(tmp_path) as found:
        yield found


@pytest.fixture
def command(target: Target, tmp_path: Path) -> Run:
    """Run `hft` or `pyinfra` against the host; a clock's domain is named first."""
    inventory = tmp_path / "inv.py"
    plain = inventory.read_text()

    def run(domain: int, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        clock = {"port": NIC, "role": "client", "domain": domain, "watch": ["192.0.2.9"]}
        inventory.write_text(plain.replace("'profile': 'engine'", f"'profile': 'engine', 'ptp': {clock!r}"))
        tail = [*words, "--inventory", str(inventory)] if name == "hft" else [str(inventory), *words]
        environment = {"HFT_STATE": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", name, *tail],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**os.environ, **environment, "HFT_LAB_DIR": str(tmp_path)},
            cwd=tmp_path,
        )

    return run


def running(target: Target) -> set[str]:
    """Our units that run there, by their control groups."""
    found = target.run("cd /sys/fs/cgroup/system.slice && ls -d hft-*.service 2>/dev/null || :")
    return {unit for unit in found.split() if unit in UNITS}


def test_a_clock_is_brought_changed_and_then_as_planned(command: Run, target: Target) -> None:
    untuned = command(24, "hft", "clock", "apply", "--yes")
    assert (untuned.returncode, "no plan is committed" in untuned.stderr) == (2, True), untuned.stderr
    applied = command(24, "hft", "apply", "--yes")
    assert applied.returncode == 0, applied.stderr

    dry = command(24, "hft", "clock", "apply", "--dry-run", "--json")
    assert dry.returncode == 3, dry.stderr
    (host,) = json.loads(dry.stdout)["hosts"]
    assert host["writer"] == "hft-phc2sys.service" and "chrony.service: masked" in {
        one["sentence"] for one in host["pending"]
    }
    assert running(target) == set()

    done = command(24, "hft", "clock", "apply", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hosts"][0]["result"] == "applied"
    assert running(target) == set(UNITS)
    assert "domainNumber 24\n" in target.run("cat /etc/linuxptp/hft-ptp4l.conf")
    assert target.run("readlink /etc/systemd/system/chrony.service").strip() == "/dev/null"

    again = command(24, "hft", "clock", "apply", "--yes", "--json")
    assert json.loads(again.stdout)["hosts"][0]["result"] == "no_change"

    stock = command(25, "pyinfra", str(ROOT / "deploys/time.py"), "--dry")
    assert stock.returncode == 0, stock.stderr
    assert "hft-ptp4l.service: stopped" in stock.stderr
    assert "domainNumber 24\n" in target.run("cat /etc/linuxptp/hft-ptp4l.conf"), "--dry changes nothing"
    stock = command(25, "pyinfra", str(ROOT / "deploys/time.py"), "-y")
    assert stock.returncode == 0, stock.stderr
    assert "domainNumber 25\n" in target.run("cat /etc/linuxptp/hft-ptp4l.conf")
    assert running(target) == set(UNITS), "what was stopped for it runs again, and what hangs on it"
    quiet = command(25, "hft", "apply", "--dry-run")
    assert quiet.returncode == 0, quiet.stdout  # the plan and the clock do not undo each other
