"""The agent's meter really loads a CPU, and its loops are gone afterwards."""

from __future__ import annotations

import os

import pytest

from agent.health import tick_probe as spin


def test_a_loop_is_pinned_busy_and_gone_afterwards() -> None:
    cpu = min(os.sched_getaffinity(0))
    pids = spin.spinning([cpu])
    assert os.sched_getaffinity(pids[0]) <= os.sched_getaffinity(0)
    assert spin.stop(pids) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_loop_that_cannot_be_pinned_is_noticed() -> None:
    pids = spin.spinning([4095])
    os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOWAIT)
    assert spin.stop(pids) == 1
