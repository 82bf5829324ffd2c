"""Two labs at once, a watchdog that bites, a power cut, and an interrupted `up`: what must not leak or
mix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.driver import Lab
from lab.machine import Machine
from lab.spec import Link, specs_of

pytestmark = pytest.mark.vm
HFT = str(Path(sys.executable).with_name("hft"))

HANG_WITH_AN_OPEN_WATCHDOG = """
import fcntl, os, struct, time
WDIOC_SETTIMEOUT = 0xC0045706
with open("/root/lost", "w") as file:
    file.write("never flushed")
watchdog = os.open("/dev/watchdog0", os.O_WRONLY)
fcntl.ioctl(watchdog, WDIOC_SETTIMEOUT, struct.pack("i", 4))
time.sleep(600)
"""


def test_two_labs_run_at_once_and_cannot_hear_each_other(
    lab: Lab, second_lab: Lab, engine_rt: Machine, engine_generic: Machine
) -> None:
    (ops,) = second_lab.up(specs_of(["ops"]), print)
    stranger = ["ping", "-c", "2", "-w", "10", "-q", engine_rt.spec.address(Link.A)]
    engine_generic.succeed(stranger)
    assert ops.execute(stranger).returncode != 0, "a host of one lab reached a host of the other"
    assert ops.wiring.ssh_port not in {engine_rt.wiring.ssh_port, engine_generic.wiring.ssh_port}
    unflushed_is_lost_when_the_watchdog_bites(ops)
    ops.crash()
    assert not ops.is_running()
    assert engine_rt.is_running()
    assert engine_generic.is_running()


def unflushed_is_lost_when_the_watchdog_bites(ops: Machine) -> None:
    ops.succeed(["sh", "-c", "echo flushed > /root/kept && sync"])
    before = ops.boot_id()
    ops.execute(["python3", "-c", HANG_WITH_AN_OPEN_WATCHDOG], timeout_s=60)
    ops.wait_for_boot(after=before)
    assert ops.succeed(["cat", "/root/kept"]) == "flushed\n"
    assert ops.succeed(["sh", "-c", "cat /root/lost 2>/dev/null || true"]) == ""
    assert [reset.by for reset in ops.resets()] == ["watchdog"]
    assert ops.boots() == 2


def test_an_interrupted_up_leaves_no_vm(tmp_path_factory: pytest.TempPathFactory) -> None:
    # The interrupt comes within a second of power-on, in the firmware: no boot worth counting.
    name = f"cut-{os.getpid()}"
    environment = {**os.environ, "HFT_LAB": name}
    command = subprocess.Popen([HFT, "lab", "up", "ops"], env=environment, stderr=subprocess.DEVNULL)
    pid_file = Lab.named(name).directory / "ops/qemu.pid"
    deadline = time.monotonic() + 120
    while not pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(pid_file.read_text())
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=60) == 130
    assert not Path(f"/proc/{pid}/stat").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text()
    subprocess.run([HFT, "lab", "down"], env=environment, check=True, timeout=60)
    assert not Lab.named(name).directory.exists()
