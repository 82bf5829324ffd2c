"""The gateway between a test engine and the venue simulator, which Nasdaq's own client checks elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.contract.link import clordid
from tests.support.engine.engine_peer import EnginePeer, cancel_bytes, ready_engine, replace_bytes
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.venue import VenueRig, enter
from tests.support.waiting import until

ACCOUNTS = [
    {"user": "GATE", "password": "secret", "firm": "ALFA", "cancel_on_disconnect": False},
    {"user": "BOB", "password": "secret", "firm": "BETA", "cancel_on_disconnect": False},
]


@pytest.fixture
def market(native: Path, tmp_path: Path) -> Iterator[VenueRig]:
    """A venue with our account and somebody to trade with."""
    folder = tmp_path / "venue"
    folder.mkdir()
    with ExitStack() as stack:
        yield VenueRig(native / "bin" / "hft-venue", folder, stack, {"accounts": ACCOUNTS})


@pytest.fixture
def gateway(program: Path, market: VenueRig, tmp_path: Path) -> Iterator[Gateway]:
    """A test gateway whose account is GATE."""
    config = write_config(tmp_path, market.ready["order_port"])
    config.write_text(config.read_text().replace('"gw1"', '"GATE"').replace('"venuepw"', '"secret"'))
    running = Gateway(program, config, "--test").start()
    running.wait_ready()
    yield running
    running.kill()


def account(gateway: Gateway) -> dict[str, object]:
    """What the gateway believes about the account."""
    return dict(gateway.verb("status")["accounts"]["ACC1"])


def heard(engine: EnginePeer, types: str) -> None:
    """Until the engine has these responses; queries' answers are not counted."""

    def seen() -> str:
        return "".join(chr(body[0]) for body in engine.responses).replace("Q", "")

    engine.until(lambda: len(seen()) >= len(types))
    assert seen() == types


def test_orders_trade_are_replaced_cancelled_and_fenced_at_a_real_venue(
    gateway: Gateway, market: VenueRig
) -> None:
    engine = ready_engine(gateway.port, 1)
    for sequence in (1, 2, 3):
        engine.order(sequence, symbol="AAA", quantity=100, price_e4=1_000_000 - sequence * 100)
    heard(engine, "AAA")
    engine.send("U", replace_bytes(2, 4, clordid(1, 4), quantity=80, price_e4=990_000))
    engine.send("U", cancel_bytes(3))
    heard(engine, "AAAUC")
    market.client("BOB").send(enter(1, "S", 30, "AAA", 999_900))
    heard(engine, "AAAUCE")
    until(lambda: account(gateway)["position"] == {"AAA": 30})
    before = account(gateway)
    gateway.kill()
    gateway.start()
    after = gateway.wait_ready()["accounts"]["ACC1"]
    for known in ("open", "last_urn", "position", "session"):
        assert after[known] == before[known], f"{known} comes back from the venue's own stream"
    answer = gateway.fence(2)
    assert answer["accounts"]["ACC1"]["open"] == 2
    page = gateway.verb("orders", account="ACC1", at="fence")
    assert [(order["urn"], order["quantity"]) for order in page["orders"]] == [(1, 70), (4, 80)]
    until(lambda: account(gateway)["open"] == 0)
    newer = ready_engine(gateway.port, 2)
    assert newer.next_urn == 5
    newer.order(5, symbol="AAA", quantity=10, price_e4=900_000)
    heard(newer, "A")
