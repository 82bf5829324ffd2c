"""The alien engine behind the shipped gateway and venue, for which the suite's own observer stands in.

The suite keeps an observer of its own: it must withhold answers, refuse one claim, look at the journal in the
moment of an order, and run where no C++ is built. This test holds that observer to the real thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.conformance.artifact import opened
from engine.conformance.bench import Bench
from engine.conformance.signing import Signer
from engine.independent.package import write
from tests.support.engine.engine_peer import PASSWORD, USER
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.venue import VenueRig, enter

SYMBOL = "AAA"
ACCOUNTS = [
    {"user": name, "password": "secret", "firm": firm, "cancel_on_disconnect": False}
    for name, firm in (("gw1", "ALFA"), ("BOB", "BETA"))
]

COPY = {"user": "COPY", "password": "secret"}
VENUE = {"accounts": ACCOUNTS, "drop_copies": [{**COPY, "account": "gw1"}]}


@pytest.fixture
def market(native: Path, tmp_path: Path) -> Iterator[VenueRig]:
    folder = tmp_path / "venue"
    folder.mkdir()
    with ExitStack() as stack:
        yield VenueRig(native / "bin" / "hft-venue", folder, stack, VENUE)


@pytest.fixture
def gateway(native: Path, market: VenueRig, tmp_path: Path) -> Iterator[Gateway]:
    config = write_config(tmp_path, market.ready["order_port"])
    config.write_text(config.read_text().replace('"venuepw"', '"secret"'))
    running = Gateway(native / "bin" / "hft-gateway", config, "--test").start()
    running.wait_ready()
    yield running
    running.kill()


@pytest.fixture
def bench(gateway: Gateway, tmp_path: Path) -> Iterator[Bench]:
    """A bench whose engine trades through the real gateway; only the feed is the suite's."""
    with opened(write(tmp_path / "artifact")) as artifact:
        made = Bench(artifact, Signer(tmp_path), 20)
        made.feed.list_symbol(SYMBOL)
        made.limits(symbols=[SYMBOL])
        where = {"host": "127.0.0.1", "port": gateway.port, "user": USER, "password": PASSWORD}
        made.config["gateway"] = where
        yield made
        made.close()


def order(side: str, quantity: int, price_e4: int) -> dict[str, object]:
    return {"side": side, "quantity": quantity, "symbol": SYMBOL, "price_e4": price_e4}


def test_it_trades_survives_sigkill_and_drains(bench: Bench, market: VenueRig) -> None:
    engine = bench.active(1)
    engine.must("intent", **order("B", 100, 1_000_000))
    engine.must("intent", **order("B", 50, 999_000))
    engine.wait_status("2 open orders", lambda status: status["open_orders"] == 2)
    market.client("BOB").send(enter(1, "S", 30, SYMBOL, 1_000_000))
    engine.wait_status("30 bought", lambda status: status["positions"].get(SYMBOL) == 30)
    engine.sigkill()
    engine = bench.active(2)
    # The gateway's `on_fence` is cancel: the new epoch finds the old orders gone and hears so by replay.
    engine.wait_status("what the day left", lambda status: status["open_orders"] == 0)
    assert engine.status()["positions"][SYMBOL] == 30
    engine.must("intent", **order("S", 10, 1_010_000))
    engine.must("intent", **order("B", 10, 1_000_000))
    engine.wait_status("2 open orders", lambda status: status["open_orders"] == 2)
    assert engine.stop() == 0, engine.last_line()
    assert engine.last_line()["open_orders"] == 0


def test_fence_makes_it_a_standby_at_its_next_order(bench: Bench, gateway: Gateway) -> None:
    engine = bench.active(1)
    engine.must("intent", **order("B", 100, 1_000_000))
    engine.wait_status("an open order", lambda status: status["open_orders"] == 1)
    gateway.fence(5)
    engine.ask("intent", **order("B", 50, 999_000))
    engine.wait_state("STANDBY")
    engine.must_not("stale_epoch", "promote", epoch=4)
    engine.must("promote", epoch=6)


def test_gateways_latch_cancels_and_its_refusal_closes_the_order(bench: Bench, gateway: Gateway) -> None:
    engine = bench.active(1)
    engine.must("intent", **order("B", 100, 1_000_000))
    engine.wait_status("an open order", lambda status: status["open_orders"] == 1)
    gateway.verb("latch", scope="site", id="", reason="drill")
    engine.wait_status("the gateway's cancel", lambda status: status["open_orders"] == 0)
    engine.must("intent", **order("B", 50, 999_000))
    engine.wait_status("the refusal", lambda status: status["open_orders"] == 0)
    refused = [line["urn"] for line in gateway.lines("refusals") if line["code"] == "latched"]
    assert refused == [2]
    assert engine.state() == "ACTIVE"
    assert engine.stop() == 0


def test_venues_drop_copy_reconciles_and_a_lost_journal_does_not(
    bench: Bench, market: VenueRig, tmp_path: Path
) -> None:
    bench.config["dropcopy"] = {"host": "127.0.0.1", "port": market.ready["order_port"], **COPY}
    engine = bench.active(1)
    engine.must("intent", **order("B", 20, 1_000_000))
    engine.wait_status("an open order", lambda status: status["open_orders"] == 1)
    market.client("BOB").send(enter(1, "S", 20, SYMBOL, 1_000_000))
    engine.wait_status("20 bought", lambda status: status["positions"].get(SYMBOL) == 20)
    engine.must("demote")
    engine.must("promote", epoch=2)
    engine.sigkill()
    bench.config["journal_directory"] = str(tmp_path / "another")
    bench.config["latch_file"] = str(tmp_path / "another-latch")
    engine = bench.standby()
    engine.must_not("not_reconciled", "promote", epoch=3)
