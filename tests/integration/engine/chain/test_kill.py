"""Kill, path by path: not one order reaches the venue after the ack, however long one waits."""

from __future__ import annotations

import signal
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.conformance.process import Engine
from engine.ticket.fence import call
from tests.support.engine.chain import TILT_EVERY_S, Chain, buy, trading

WAIT_S = 30.0
LATER = "ouch5-later"
MakeChain = Callable[..., Chain]


def by_admin(_chain: Chain, engine: Engine) -> int:
    """Path 1: the reply is the ack; the engine counts what it let out."""
    engine.must("kill", scope="engine", id="", reason="drill")
    return engine.metric("engine_orders_sent_total")


def by_signal(_chain: Chain, engine: Engine) -> int:
    """Path 1 when nobody answers on the socket: the state is the ack."""
    engine.signal(signal.SIGUSR1)
    engine.wait_state("HALTED")
    return engine.metric("engine_orders_sent_total")


def by_gateway(chain: Chain, _engine: Engine) -> int:
    """The gateway's latch: its log says what it has forwarded."""
    chain.gateway.verb("latch", scope="site", id="", reason="drill")
    forwarded = [line for line in chain.gateway.lines("messages") if line["event"] == "forward"]
    return len([line for line in forwarded if line["type"] == "O"])


def by_operator_of_the_venue(chain: Chain, _engine: Engine) -> int:
    """Path 3: the venue's operator disables the account and cancels what is open."""
    assert chain.venue.admin("disable_account", account="gw1")["ok"]
    allowed = len(chain.orders())
    assert chain.venue.admin("mass_cancel", account="gw1")["canceled"] == 2
    return allowed


def by_another_session(chain: Chain, _engine: Engine) -> int:
    """Path 3: Disable Order Entry and Mass Cancel of the firm, from another session of the firm."""
    guard = chain.venue.client("GUARD")
    guard.send(struct.pack(">cI4sH", b"D", 1, b"ALFA", 0))
    guard.expect("G")
    allowed = len(chain.orders())
    guard.send(struct.pack(">cI4s8sH", b"C", 2, b"ALFA", b" " * 8, 0))
    guard.expect("X")
    return allowed


Kill = Callable[[Chain, Engine], int]
PATHS: dict[str, tuple[Kill, str]] = {
    "admin": (by_admin, "ouch5-2023-05"),
    "signal": (by_signal, "ouch5-2023-05"),
    "gateway": (by_gateway, "ouch5-2023-05"),
    "venue": (by_operator_of_the_venue, "ouch5-2023-05"),
    "session": (by_another_session, LATER),
}


def tilt_for(seconds: float, chains: list[Chain]) -> None:
    """Go on giving every strategy reasons to trade."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for chain in chains:
            chain.tilt()
        time.sleep(TILT_EVERY_S)


@pytest.mark.engine
def test_no_order_follows_the_ack_of_any_kill_within_30_s(make_chain: MakeChain) -> None:
    """All paths side by side share the wait; the chain that nobody kills shows that the market goes on."""
    chains = {name: trading(make_chain(slots="a", profile=profile)) for name, (_, profile) in PATHS.items()}
    alive = trading(make_chain(slots="a"))
    allowed: dict[str, int] = {}
    for name, (kill, _) in PATHS.items():
        allowed[name] = kill(chains[name], chains[name].running())
        chains[name].wait_open(0)
    alive_before = len(alive.orders())
    tilt_for(WAIT_S, [*chains.values(), alive])
    reached = {name: len(chain.orders()) for name, chain in chains.items()}
    assert all(reached[name] <= allowed[name] for name in PATHS), f"{reached} reached, {allowed} allowed"
    assert len(alive.orders()) - alive_before > WAIT_S, "and the strategy would have gone on"
    assert_what_stopped_them(chains)


def assert_what_stopped_them(chains: dict[str, Chain]) -> None:
    """Not silence: an engine refuses, or tries and is turned away at the point that was told to."""
    for name in ("admin", "signal"):
        chains[name].running().must_not("not_active", "intent", **buy())
        assert chains[name].orders("rejected") == []
    gateway = chains["gateway"]
    assert gateway.running().state() == "ACTIVE"
    assert len([line for line in gateway.gateway.lines("refusals") if line["code"] == "latched"]) > WAIT_S
    for name in ("venue", "session"):
        assert chains[name].running().state() == "ACTIVE"
        assert len(chains[name].orders("rejected")) > WAIT_S


def test_reply_of_kill_lists_open_before_cancels_fills_since_and_position_and_says_it_does_not_flatten(
    chain: Chain,
) -> None:
    engine = chain.seats["a"].active(1)
    engine.must("intent", **buy(100, 1_000_000))
    engine.must("intent", **buy(50, 999_000))
    chain.wait_open(2)
    chain.gateway.nudge(signal.SIGSTOP)  # what is on its way stays there: nothing is acked yet
    first = engine.must("kill", scope="engine", id="", reason="drill")
    assert (first["open_before"], first["cancels_sent"], first["cancels_acked"]) == (2, 2, 0)
    chain.trade("S", 30, 1_000_000)
    chain.gateway.nudge(signal.SIGCONT)
    engine.wait_status("both cancels", lambda status: status["open_orders"] == 0)
    again = engine.must("kill", scope="engine", id="", reason="whoever presses twice reads the same list")
    assert (again["open_before"], again["cancels_sent"], again["cancels_acked"]) == (2, 2, 2)
    assert again["fills_since"] == 1 and again["positions"] == {"AAA": 30}
    assert again["flattened"] is False and first["flattened"] is False
    assert chain.account()["open_orders"] == 0 and chain.orders() == [1, 2]


def test_stopped_engine_that_goes_on_behind_the_gateways_latch_gets_nothing_out(
    make_chain: MakeChain,
) -> None:
    chain = trading(make_chain(slots="a"))
    engine = chain.running()
    engine.signal(signal.SIGSTOP)
    time.sleep(0.05)
    before = len(chain.orders())
    for _ in range(5):
        chain.tilt()  # market data that waits in its socket
    answer = chain.gateway.verb("latch", scope="account", id="ACC1", reason="drill")
    assert answer["ok"] and len(answer["open_before"]) == 2 and answer["flattens"] is False
    chain.wait_open(0)
    engine.signal(signal.SIGCONT)
    chain.until(
        lambda: any(line["code"] == "latched" for line in chain.gateway.lines("refusals")),
        "a refused order of the engine that went on",
    )
    assert len(chain.orders()) == before


@pytest.mark.engine
def test_signal_kills_while_the_hot_loop_hangs_and_the_latch_is_on_disk_before_it_wakes_up(
    make_chain: MakeChain,
) -> None:
    chain = trading(make_chain(slots="a"))
    engine, latch = chain.running(), chain.seats["a"].directory / "latch"
    with ThreadPoolExecutor() as pool:
        stall = pool.submit(call, chain.seats["a"].directory / "admin", "stall", ms=3000)
        turns = -1
        while turns != (turns := engine.metric("engine_hot_turns_total")):
            time.sleep(0.2)
        before = len(chain.orders())
        for _ in range(5):
            chain.tilt()
        engine.signal(signal.SIGUSR1)
        chain.until(lambda: latch.read_bytes().count(b'"set":true') == 2, "both copies of the latch")
        assert not stall.done(), "it hangs all the time"
        assert stall.result()["ok"]
    engine.wait_state("HALTED")
    chain.wait_open(0)
    assert len(chain.orders()) == before


def test_kill_in_the_middle_of_a_promotion_ends_halted(chain: Chain) -> None:
    engine, admin = chain.seats["a"].standby(), chain.seats["a"].directory / "admin"
    chain.gateway.nudge(signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        promotion = pool.submit(call, admin, "promote", epoch=1)
        engine.wait_status("the promotion's start", lambda status: status["highest_epoch"] == 1)
        engine.must("kill", scope="engine", id="", reason="drill")
        chain.gateway.nudge(signal.SIGCONT)
        assert not promotion.result()["ok"]
    engine.must_not("latched", "promote", epoch=2)
    assert engine.state() == "HALTED" and chain.orders() == []


@pytest.mark.engine
def test_killed_engine_behind_a_latched_gateway_does_not_flood_it(chain: Chain) -> None:
    """Both are latched and the connection is lost: it asks again, more and more seldom."""
    engine = chain.seats["a"].active(1)
    chain.gateway.verb("latch", scope="site", id="", reason="drill")
    engine.must("kill", scope="engine", id="", reason="drill")
    chain.gateway.kill()
    chain.gateway.start()
    chain.until(lambda: chain.gateway.lines("refusals"), "the first refusal")
    time.sleep(4.0)
    tries = [line for line in chain.gateway.lines("refusals") if line["code"] == "latched"]
    assert 2 <= len(tries) <= 8, f"{len(tries)} tries, ten a second would be 40"
    assert chain.gateway.unlatch()["ok"]
    engine.wait_status("a connection again", lambda status: status["connected"])
