"""The gateway refuses what the venue or the law would: fields, ticks, halts, short sales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.contract.limits import GatewayLimits
from engine.contract.link import clordid
from engine.ticket.errors import TicketError
from engine.ticket.limits import sign_limits
from tests.support.engine.engine_peer import EnginePeer, order_bytes, ready_engine, replace_bytes
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.tickets import Keys, limits_document, make_keys
from tests.support.waiting import until

from .venue_peer import VenuePeer

HELD, LOCATED = 100, 50
RULES: dict[str, Any] = {
    "order_quantity_max_shares": 1_000_000,
    "order_notional_max_e4": 10**15,
    "symbols": ["AAPL", "MSFT"],
    "positions_at_open": {"ACC1": {"AAPL": HELD}},
    "locates": {"ACC1": {"AAPL": LOCATED}},
    "halted": ["MSFT"],
}
SIDE, TIME_IN_FORCE, DISPLAY, CAPACITY, SWEEP, CROSS = 5, 26, 27, 28, 29, 30
Start = Callable[..., tuple[Gateway, EnginePeer]]


@pytest.fixture
def start(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Start]:
    """A gateway under signed limits with these rules, and an engine that trades there."""
    keys, running = make_keys(tmp_path, "eng-1"), list[Gateway]()

    def run(**changes: Any) -> tuple[Gateway, EnginePeer]:
        sign_limits(limits_document(1, **RULES | changes), tmp_path / "limits.json", keys.authority)
        running.append(Gateway(program, limited(tmp_path, venue.port, keys), "--test").start())
        running[-1].wait_ready()
        until(lambda: running[-1].verb("status")["limits"]["code"] == "ok")
        return running[-1], ready_engine(running[-1].port, 1)

    yield run
    for gateway in running:
        gateway.kill()


def limited(root: Path, port: int, keys: Keys) -> Path:
    signers = str(keys.authority_signers)
    return write_config(root, port, limits_file=str(root / "limits.json"), authority_signers=signers)


def changed(message: bytes, at: int, letter: bytes) -> bytes:
    return message[:at] + letter + message[at + 1 :]


@pytest.mark.parametrize(
    ("at", "letters", "code"),
    [
        (SIDE, b"\0bX", "field.side"),
        (TIME_IN_FORCE, b"z56", "field.time_in_force"),
        (DISPLAY, b"\0yZ", "field.display"),
        (CAPACITY, b"\0X", "field.capacity"),
        (SWEEP, b"\0X", "field.sweep"),
        (CROSS, b"OC\0", "field.cross_type"),
    ],
)
def test_a_letter_that_is_not_named_does_not_leave(
    start: Start, venue: VenuePeer, at: int, letters: bytes, code: str
) -> None:
    _, engine = start()
    for urn, letter in enumerate(letters, start=1):
        engine.send("U", changed(order_bytes(urn, clordid(1, urn)), at, bytes([letter])))
        engine.until(lambda urn=urn: any(refusal.get("urn") == urn for refusal in engine.refusals))  # type: ignore[misc]
    assert [refusal["code"] for refusal in engine.refusals] == [code] * len(letters)
    engine.order(90, urn=90)
    assert venue.wait_for("accepted", 90) and len(venue.accepted()) == 1


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"quantity": 0}, "field.quantity"),
        ({"quantity": 1_000_000}, "field.quantity"),
        ({"price_e4": 0}, "field.price"),
        ({"price_e4": 10_001}, "tick"),
        ({"symbol": "MSFT"}, "halted"),
        ({"side": "S", "quantity": HELD + 1}, "short.mark"),
        ({"side": "T", "quantity": LOCATED + 1}, "short.locate"),
        ({"side": "E", "quantity": LOCATED + 1}, "short.locate"),
    ],
)
def test_what_the_venue_or_the_law_would_refuse_does_not_leave(
    start: Start, venue: VenuePeer, terms: dict[str, Any], code: str
) -> None:
    _, engine = start()
    urn, _ = engine.order(1, **terms)
    assert engine.wait_refusal(code)["urn"] == urn
    assert venue.accepted() == []


def test_sales_are_counted_until_they_are_done(start: Start, venue: VenuePeer) -> None:
    _, engine = start()
    first, _ = engine.order(1, side="S", quantity=HELD - 10)
    engine.order(2, side="S", quantity=11)
    engine.wait_refusal("short.mark")
    second, _ = engine.order(3, side="S", quantity=10)
    assert venue.wait_for("accepted", second)
    venue.fill(first, HELD - 10)
    engine.until(lambda: len(engine.responses) == 3)
    engine.refusals.clear()
    engine.order(4, side="S", quantity=1)
    engine.wait_refusal("short.mark")
    short, _ = engine.order(5, side="T", quantity=LOCATED)
    assert venue.wait_for("accepted", short), "marked short, and located"
    engine.send("U", replace_bytes(second, 50, clordid(1, 50), quantity=11))
    assert engine.wait_refusal("short.mark", 5)
    engine.send("U", replace_bytes(second, 51, clordid(1, 51), quantity=9))
    assert venue.wait_for("replaced", 51)


def test_the_limits_name_what_is_allowed(start: Start, venue: VenuePeer) -> None:
    _, engine = start(
        times_in_force=["0", "5"], cross_types=["N", "O"], ticks=[{"from_price_e4": 0, "tick_e4": 500}]
    )
    engine.send("U", changed(order_bytes(1, clordid(1, 1)), TIME_IN_FORCE, b"5"))
    engine.send("U", changed(order_bytes(2, clordid(1, 2)), CROSS, b"O"))
    assert venue.wait_for("accepted", 1) and venue.wait_for("accepted", 2)
    engine.send("U", changed(order_bytes(3, clordid(1, 3)), TIME_IN_FORCE, b"3"))
    engine.wait_refusal("field.time_in_force")
    engine.order(4, urn=4, price_e4=10_100)
    engine.wait_refusal("tick")


WRONG: list[tuple[str, Any]] = [
    ("times_in_force", []), ("times_in_force", ["00"]), ("displays", "Y"), ("ticks", []),
    ("ticks", [{"from_price_e4": 5, "tick_e4": 1}]), ("ticks", [{"from_price_e4": 0, "tick_e4": 0}]),
    ("halted", [7]), ("positions_at_open", {"ACC1": 5}), ("locates", {"ACC1": {"AAPL": -1}}),
    ("surprise", 1),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{key}-{number}" for number, (key, _) in enumerate(WRONG)])
def test_a_wrong_rule_is_not_signed_and_refused_by_schema_and_gateway_alike(
    program: Path, tmp_path: Path, wrong: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, value = wrong
    document = limits_document(1, **RULES | {key: value})
    keys = make_keys(tmp_path, "eng-1")
    with pytest.raises(TicketError, match=key):
        sign_limits(document, tmp_path / "limits.json", keys.authority)
    if value != [{"from_price_e4": 5, "tick_e4": 1}] and key != "locates":  # rules between the fields
        with pytest.raises(ValidationError):
            GatewayLimits.model_validate(document["gateway"])
    monkeypatch.setattr("engine.ticket.limits.check_gateway_part", lambda document: None)
    sign_limits(document, tmp_path / "limits.json", keys.authority)
    gateway = Gateway(program, limited(tmp_path, 1, keys), "--test").start()
    try:
        until(lambda: any(line["code"] == "limits_missing" for line in gateway.lines("refusals")))
        assert not gateway.verb("status")["limits"]["loaded"]
    finally:
        gateway.kill()


def test_the_schema_takes_what_the_tests_sign() -> None:
    rules = GatewayLimits.model_validate(limits_document(1, **RULES)["gateway"])
    assert rules.times_in_force == ["0", "3"] and rules.locates == RULES["locates"]
