"""The engine's threads (hot loop, persister, connector, admin) under ThreadSanitizer, in the whole chain."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine.chain import ASK_E4, BID_E4, SYMBOL, Chain, buy, sell
from tests.support.engine.native import THREADS

pytestmark = [pytest.mark.drill, pytest.mark.engine, pytest.mark.timeout(1800)]


def test_no_race_from_start_to_kill_and_after_a_restart(
    make_chain: Callable[..., Chain],
    native_build: Callable[[str, tuple[str, ...]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TSAN_OPTIONS", f"log_path={tmp_path}/race exitcode=66")
    program = native_build(*THREADS) / "bin" / "hft-engine"
    chain = make_chain(slots="a", gateway={"on_fence": "keep"})
    seat = chain.seats["a"]
    engine = seat.active(1, program=program)
    engine.must("intent", **buy(30, BID_E4 + 100))
    engine.must("intent", **sell(5, ASK_E4))
    chain.wait_open(2)
    chain.trade("S", 30, BID_E4 + 100)
    engine.wait_status("the fill", lambda status: status["positions"] == {SYMBOL: 30})
    seat.limits(serial=2, order_quantity_max=10)
    engine.signal(signal.SIGHUP)
    engine.wait_status("the limits", lambda status: status["limits"]["serial"] == 2)
    engine.must_not("risk.size", "intent", **buy(11))
    engine.must("histograms")
    engine.must("digest")
    engine.sigkill()
    engine = seat.active(2, program=program)
    engine.must("intent", **buy(10))
    chain.wait_open(2)
    assert engine.must("kill", scope="engine", id="", reason="test")["open_before"] == 2
    chain.wait_open(0)
    engine.must("unkill", operator="test", reason="test")
    assert engine.stop() == 0, engine.stderr()
    assert not list(tmp_path.glob("race*")), "ThreadSanitizer wrote a report"
