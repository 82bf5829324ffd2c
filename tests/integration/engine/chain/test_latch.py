"""The latch outlives what dies: SIGKILL of engine and gateway, a promoted spare, an empty disk."""

from __future__ import annotations

import signal

import pytest

from engine.conformance.process import Engine
from tests.support.engine.chain import Chain, Seat, buy

pytestmark = pytest.mark.engine
SCOPES = (("site", ""), ("account", "ACC1"), ("strategy", "imbalance"))


def killed(chain: Chain, how: str) -> None:
    """An engine with an open order, killed, and its process ended at once."""
    engine = chain.seats["a"].active(1)
    engine.must("intent", **buy())
    chain.wait_open(1)
    if how == "admin":
        engine.must("kill", scope="engine", id="", reason="drill")
    else:
        engine.signal(signal.SIGUSR1)
        engine.wait_state("HALTED")
    engine.sigkill()


def halted(seat: Seat) -> Engine:
    """A start that ends in HALTED."""
    engine = seat.launch()
    engine.wait_up()
    engine.wait_state("HALTED")
    return engine


@pytest.mark.parametrize("how", ["admin", "signal"])
def test_engines_latch_survives_sigkill_and_ends_with_a_named_operator_only(chain: Chain, how: str) -> None:
    killed(chain, how)
    engine = halted(chain.seats["a"])
    assert engine.status()["latch"]["scope"] == "engine"
    engine.must_not("latched", "promote", epoch=2)
    engine.must_not("operator", "unkill", operator="", reason="checked")
    engine.must_not("operator", "unkill", operator="alice", reason="")
    engine.must("unkill", operator="alice", reason="checked")
    engine.wait_state("STANDBY")
    engine.must_not("not_active", "intent", **buy())
    engine.must("promote", epoch=2)
    engine.wait_state("ACTIVE")
    engine.must("intent", **buy())
    chain.until(lambda: len(chain.orders()) == 2, "the order after the unkill")
    engine.sigkill()
    assert chain.seats["a"].standby().status()["latch"] is None, "and the unkill survives as well"


def test_either_record_of_the_kill_is_enough(chain: Chain) -> None:
    """The latch file and the journal each remember; a file that is gone counts as set, and is made again."""
    killed(chain, "admin")
    seat = chain.seats["a"]
    for _ in range(2):
        (seat.directory / "latch").unlink()
        halted(seat).sigkill()
    for segment in (seat.directory / "journal").iterdir():
        segment.unlink()
    halted(seat).must_not("latched", "promote", epoch=9)


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_gateways_latch_survives_sigkill_and_refuses_the_spare(chain: Chain, scope: str, name: str) -> None:
    leader = chain.seats["a"].active(1)
    leader.must("intent", **buy())
    chain.wait_open(1)
    assert chain.gateway.verb("latch", scope=scope, id=name, reason="drill")["durable"]
    chain.wait_open(0)
    leader.sigkill()
    chain.gateway.kill()
    chain.gateway.start()
    chain.gateway.wait_ready()
    assert [entry["scope"] for entry in chain.gateway.verb("status")["latch"]["entries"]] == [scope]
    spare = chain.seats["b"].standby()
    promoted = spare.ask("promote", epoch=2)
    assert not promoted["ok"] and "latched" in promoted["detail"]
    spare.must_not("not_active", "intent", **buy())
    assert spare.state() == "STANDBY" and chain.orders() == [1]
    assert chain.gateway.unlatch()["ok"]
    spare.must("promote", epoch=3)
    spare.wait_state("ACTIVE")
    spare.must("intent", **buy())
    chain.wait_open(1)


def test_killed_spare_is_not_promoted_and_a_killed_leader_does_not_come_back_by_a_promotion(
    chain: Chain,
) -> None:
    leader, spare = chain.seats["a"].active(1), chain.seats["b"].standby()
    for engine in (leader, spare):
        engine.must("kill", scope="site", id="", reason="drill")
    leader.must_not("latched", "promote", epoch=2)
    spare.must_not("latched", "promote", epoch=2)
    assert (leader.state(), spare.state(), chain.orders()) == ("HALTED", "HALTED", [])


def test_engine_cut_off_by_the_gateway_dies_and_the_halted_one_cancels_what_is_left(chain: Chain) -> None:
    """Killed while the gateway is dead: the latch is set at once, the cancels go out when it is back."""
    engine = chain.seats["a"].active(1)
    engine.must("intent", **buy())
    chain.wait_open(1)
    chain.gateway.kill()
    answer = engine.must("kill", scope="engine", id="", reason="drill")
    assert (answer["open_before"], answer["cancels_acked"]) == (1, 0)
    assert chain.account()["open_orders"] == 1
    chain.gateway.start()
    chain.wait_open(0)
    assert engine.state() == "HALTED" and chain.orders() == [1]
    assert engine.must("kill", scope="engine", id="", reason="again")["cancels_acked"] == 1
