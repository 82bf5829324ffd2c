"""Kill, path by path: not one order reaches the venue after the ack."""

from __future__ import annotations

from .rig import Chain, buy


def test_kill_cancels_what_is_open(chain: Chain) -> None:
    engine = chain.seats["a"].active(1)
    engine.must("intent", **buy())
    chain.wait_open(1)
    assert engine.must("kill", scope="engine", id="", reason="x")["cancels_acked"] == 1
    chain.wait_open(0)
    assert chain.orders() == [1]
