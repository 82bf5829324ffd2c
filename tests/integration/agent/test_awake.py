"""The holder of /dev/cpu_dma_latency: asks for zero while it lives, and says why where it cannot."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.checkout import ROOT


def holder(root: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "agent", "--root", str(root), "awake"]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_asks_for_no_latency_and_keeps_the_device_open_until_its_end(
    end: signal.Signals, tmp_path: Path
) -> None:
    device = tmp_path / "dev" / "cpu_dma_latency"
    device.parent.mkdir()
    device.touch()
    with holder(tmp_path) as running:
        assert running.stderr is not None
        assert "is held at 0 us" in running.stderr.readline()
        assert device.read_bytes() == struct.pack("=i", 0), (
            "four bytes: the kernel reads other lengths as text"
        )
        open_files = [link.readlink() for link in Path(f"/proc/{running.pid}/fd").iterdir()]
        assert device in open_files
        time.sleep(0.05)
        assert running.poll() is None
        running.send_signal(end)
        assert running.wait(timeout=10) == 0


def test_a_kernel_without_the_device_is_said(tmp_path: Path) -> None:
    with holder(tmp_path) as running:
        assert running.wait(timeout=10) == 2
        assert running.stderr is not None
        assert running.stderr.read() == "hft-awake: /dev/cpu_dma_latency: No such file or directory\n"
