"""The benchmark's target: a host that tools may change, of which nothing is left and nothing leaks out."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.knobs import Knob, wrong_on
from bench.target import Target, open_target
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.fake_host import MACHINE_ID, SMALL, make_host

pytestmark = [pytest.mark.long, needs.namespaces()]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with open_target(make_host(SMALL)) as opened:
        yield opened


def test_target_shows_the_made_host(target: Target) -> None:
    assert target.run("cat /etc/machine-id").strip() == MACHINE_ID
    assert target.run("cat /sys/devices/system/cpu/online").strip() == "0-31"
    assert "Cpus_allowed_list:\t0-31" in target.run("cat /proc/self/status")


@pytest.mark.parametrize("path", ["/proc/sys/vm/swappiness", "/etc/hft-bench-probe", "/boot/hft-bench-probe"])
def test_what_is_written_there_does_not_reach_this_machine(target: Target, path: str) -> None:
    before = Path(path).read_text() if Path(path).exists() else None
    target.run(f"echo 7 >{path}")
    assert target.run(f"cat {path}") == "7\n"
    assert (Path(path).read_text() if Path(path).exists() else None) == before


def test_shared_programs_are_read_only_and_this_tree_is_out_of_reach(target: Target) -> None:
    with pytest.raises(BenchError, match="Read-only"):
        target.run("touch /usr/hft-bench-probe")
    with pytest.raises(BenchError):
        target.run(f"ls {ROOT}")


def test_target_cannot_mount_or_load_modules(target: Target) -> None:
    capabilities = target.run("setpriv --dump")
    bounding = next(line for line in capabilities.splitlines() if "bounding" in line)
    assert "sys_admin" not in bounding
    assert "sys_module" not in bounding
    assert "sys_boot" not in bounding


def test_reader_sees_what_is_not_as_wanted(target: Target) -> None:
    path = "/sys/kernel/mm/ksm/run"
    as_is = Knob(kind="value", path=path, wanted="0", key=path)
    other = Knob(kind="value", path=path, wanted="2", key=path)
    mask = "/etc/systemd/system/absent.timer"
    link = Knob(kind="link", path=mask, wanted="/dev/null", key="absent.timer")
    assert wrong_on(target, [as_is, other, link]) == [other.name, link.name]


def test_units_run_when_they_were_started(target: Target) -> None:
    ask = "systemctl show --property=ActiveState -- hft-standin@3.service fstrim.timer"
    assert target.run(ask) == "ActiveState=inactive\n\nActiveState=inactive\n"
    target.run("systemctl start hft-standin@3.service")
    assert target.run(ask) == "ActiveState=active\n\nActiveState=inactive\n"
    target.run("systemctl stop hft-standin@3.service")
    assert target.run(ask) == "ActiveState=inactive\n\nActiveState=inactive\n"


def test_cpu_of_ended_sessions_is_counted(target: Target) -> None:
    before = target.cpu_s()
    target.run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
    deadline = time.monotonic() + 5
    while target.cpu_s() - before < 0.1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert target.cpu_s() - before >= 0.1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_target_ends_with_the_benchmark_however_that_ends(number: signal.Signals) -> None:
    program = (
        "import time\n"
        "from tests.support.fake_host import SMALL, make_host\n"
        "from bench.target import end_like_interrupt, open_target\n"
        "end_like_interrupt()\n"
        "with open_target(make_host(SMALL)) as target:\n"
        "    print(target.pid, target.folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        child.send_signal(number)
        child.wait(timeout=20)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert folder not in Path("/proc/self/mountinfo").read_text()
    if number == signal.SIGKILL:
        shutil.rmtree(folder)  # nobody tidies up after that one; the keys of a dead target open nothing
    assert not Path(folder).exists()
