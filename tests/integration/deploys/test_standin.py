"""The engine stand-in: where it refuses to start, and that it runs as it is copied to a host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.host import standin
from tests.support.checkout import ROOT
from tests.support.waiting import until

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


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A stand-in as a host starts it, and its CPU."""
    cpu = max(os.sched_getaffinity(0))
    child = subprocess.Popen([sys.executable, "-I", "-S", str(PROGRAM), "run", str(cpu)])
    try:
        until(lambda: state(child.pid) == "S", "it waits for its orders")
        yield child, cpu
    finally:
        child.kill()
        child.wait()


def test_it_sleeps_until_it_is_told_to_spin_and_then_never_does(
    running: tuple[subprocess.Popen[bytes], int],
) -> None:
    child, cpu = running
    assert os.sched_getaffinity(child.pid) == {cpu}
    assert len(list(Path(f"/proc/{child.pid}/task").iterdir())) == 1
    tell(cpu, b"spin x")
    tell(cpu, b"spin 30")
    until(lambda: state(child.pid) == "R", "it spins")
    before = switches(child.pid)
    time.sleep(0.5)
    assert switches(child.pid) == before, "it slept"
    assert state(child.pid) == "R"
    tell(cpu, b"rest")
    until(lambda: state(child.pid) == "S", "it rests")
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=5) == -signal.SIGTERM


def test_it_rests_by_itself_when_nobody_ends_it(running: tuple[subprocess.Popen[bytes], int]) -> None:
    child, cpu = running
    tell(cpu, b"spin 1")
    until(lambda: state(child.pid) == "R", "it spins")
    until(lambda: state(child.pid) == "S", "its second is over")


def test_what_is_no_order_is_nothing_and_an_order_is_bounded() -> None:
    for datagram in (b"", b"rest", b"spin", b"spin -1", b"spin 1e9", b"spin nan", b"SPIN 3", b"\xff spin 3"):
        assert standin.asked_for(datagram) == 0.0
    assert standin.asked_for(b"spin 3") == 3.0
    assert standin.asked_for(b"spin 99999999") == standin.SPIN_S_MAX


def test_the_meter_tells_the_port_that_the_standin_hears() -> None:
    header = (ROOT / "checks/meter_base.h").read_text()
    assert f"#define STANDIN_PORT_BASE {standin.PORT_BASE} " in header


def tell(cpu: int, order: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(order, ("127.0.0.1", standin.PORT_BASE + cpu))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def switches(pid: int) -> int:
    """Voluntary context switches: how often it waited for something."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("voluntary")))
