"""The engine stand-in: where it refuses to start, and that it runs as it is copied to a host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import standin

PROGRAM = Path(standin.__file__)


def made_root(tmp_path: Path, isolated: str) -> Path:
    folder = tmp_path / "sys/devices/system/cpu"
    folder.mkdir(parents=True)
    (folder / "isolated").write_text(isolated)
    return tmp_path


@pytest.mark.parametrize(
    ("isolated", "allowed"), [("2-3\n", True), ("0,2\n", True), ("3\n", False), ("\n", False)]
)
def test_busy_thread_starts_on_isolated_cpus_only(tmp_path: Path, isolated: str, allowed: bool) -> None:
    obstacle = standin.why_not(2, made_root(tmp_path, isolated))
    assert (obstacle is None) == allowed
    assert allowed or "CPU 2 is not isolated" in str(obstacle)


@pytest.mark.parametrize("argv", [[], ["run"], ["run", "x"], ["run", "-1"], ["walk", "1"], ["run", "1", "2"]])
def test_wrong_words_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert standin.main(argv) == 2
    assert "usage" in capsys.readouterr().err


def test_it_spins_on_one_cpu_without_sleeping_and_ends_at_once() -> None:
    cpu = max(os.sched_getaffinity(0))
    child = subprocess.Popen([sys.executable, "-I", "-S", str(PROGRAM), "run", str(cpu)])
    try:
        time.sleep(1)
        assert os.sched_getaffinity(child.pid) == {cpu}
        assert len(list(Path(f"/proc/{child.pid}/task").iterdir())) == 1
        before = switches(child.pid)
        time.sleep(0.5)
        assert switches(child.pid) == before, "it slept"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=5) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()


def switches(pid: int) -> int:
    """Voluntary context switches: how often it waited for something."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("voluntary")))
