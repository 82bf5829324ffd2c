"""Kills whose cancels must not wait: for a replica that never answers, or a helper that hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conformance.artifact import opened
from engine.conformance.bench import Bench
from engine.conformance.cases.orders import buy
from engine.conformance.signing import Signer
from engine.toolchain.build import make_artifact


@pytest.fixture
def bench(native: Path, tmp_path: Path) -> Iterator[Bench]:
    make_artifact(native / "bin" / "hft-engine", tmp_path / "artifact")
    with opened(tmp_path / "artifact") as artifact:
        made = Bench(artifact, Signer(tmp_path), 20)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize("by", ["the verb", "the signal"])
def test_cancels_of_a_kill_leave_although_no_replica_acknowledges(bench: Bench, by: str) -> None:
    import signal

    engine = bench.active()
    for quantity in (1, 2, 3):
        buy(engine, quantity)
    bench.count("order", 3)
    engine.wait_status("three orders", lambda status: status["open_orders"] == 3)
    engine.sigkill()
    bench.config["durability"] = "replica:1"
    engine = bench.active(8)
    begun = time.monotonic()
    if by == "the verb":
        assert engine.must("kill", reason="case")["cancels_sent"] == 3
    else:
        engine.signal(signal.SIGUSR1)
    bench.count("cancel", 3)
    assert time.monotonic() - begun < 2
    engine.wait_status("nothing open", lambda status: status["open_orders"] == 0)


def test_an_order_that_waits_for_a_replica_never_leaves_and_its_cancel_is_not_counted(bench: Bench) -> None:
    bench.config["durability"] = "replica:1"
    engine = bench.active()
    buy(engine, 5)
    bench.nothing_more("order", 0, 0.3)
    told = engine.must("kill", reason="case")
    assert (told["open_before"], told["cancels_sent"]) == (1, 0)
    engine.wait_status("nothing open", lambda status: status["open_orders"] == 0)
    bench.nothing_more("order", 0, 0.3)
    bench.nothing_more("cancel", 0, 0.1)


def test_an_order_that_waited_too_long_for_a_replica_is_over(bench: Bench) -> None:
    bench.config |= {"durability": "replica:1", "order_age_max_ms": 1_500}
    engine = bench.active()
    buy(engine, 5)
    assert engine.status()["open_orders"] == 1
    engine.wait_status("nothing open", lambda status: status["open_orders"] == 0)
    assert engine.metric("engine_egress_dropped_total") == 1
    bench.nothing_more("order", 0, 0.1)
