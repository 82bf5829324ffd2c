"""Counted, not timed: between the datagram that tips the book and its order there is no other system call."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import bench.engine.rig as rigs
from bench.engine.children import Child
from bench.engine.layout import lay_out
from bench.engine.rig import open_rig
from bench.engine.settings import DIRECT
from bench.engine.sizes import QUICK
from tests.support import needs

ORDER = re.compile(r'sendto\(\d+, "\\0000UO')  # SoupBinTCP: length 48, unsequenced, Enter Order
ORDERS_MIN = 50


def hot_thread(pid: int) -> int:
    """The task that is called hft-hot."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return next(int(task.name) for task in tasks if (task / "comm").read_text().strip() == "hft-hot")


@pytest.mark.engine
@needs.programs("strace")
def test_no_system_call_stands_between_the_trigger_and_its_order(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, tracers = tmp_path / "calls", []
    usual = rigs._let_go

    def traced(load: Child, folder: Path, *pids: int) -> None:
        words = ["strace", "-q", "-s", "8", "-p", str(hot_thread(pids[0])), "-o", str(log)]
        tracers.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))
        usual(load, folder, *pids)

    monkeypatch.setattr(rigs, "_let_go", traced)
    with open_rig(native / "bin", lay_out({0}, spins=False)) as rig:
        try:
            ran = rig.run(DIRECT, replace(QUICK.latency, triggers_per_s=100))
        finally:
            for tracer in tracers:
                tracer.terminate()
                tracer.wait(timeout=20)
    assert ran.run.missing == 0
    calls = log.read_text().splitlines()
    before = [calls[at - 1] for at, call in enumerate(calls) if at and ORDER.match(call)]
    assert len(before) >= ORDERS_MIN
    strangers = [call for call in before if not (call.startswith("recvmsg(") and " = -1 " not in call)]
    assert not strangers, strangers[:5]
