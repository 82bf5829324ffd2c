"""Our OUCH 5.0 decoder beside the Rust crate `ouch_model` 5.0.1, which carries Nasdaq's text of 2 May 2023.

ouch_model.jsonl holds each message of the crate once, with distinct values in its fields, and the bytes that
the crate makes of it: `serde_json::from_str::<CltOuchPayload | SvcOuchPayload>` and `to_serializer_stack`.
The crate departs from its own text in three places, and there the text stands: its symbols have nine
characters where the text says eight, its Canceled has a second reference number (22 bytes; the text and real
captures say 18), and its peg offsets are IEEE floats.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Itch = Callable[..., list[dict[str, Any]]]
CASES = [json.loads(line) for line in (Path(__file__).parent / "ouch_model.jsonl").read_text().splitlines()]
PROFILE = "ouch5-2023-05"
# The crate's symbols have nine characters; where the ninth stands.
NINTH_OF_SYMBOL = {"EnterOrder": 18, "OrderAccepted": 26, "OrderReplaced": 30}
FLOATS_OF_THE_CRATE = ("peg_offset", "discretion_peg_offset")
OUR_NAMES = {
    "user_ref_number": "user_ref_num",
    "orig_user_ref_number": "orig_user_ref_num",
    "next_user_ref_number": "next_user_ref_num",
    "clt_order_id": "cl_ord_id",
    "int_mkt_sweep_eligibility": "intermarket_sweep",
    "prevented_from_trading": "quantity_prevented",
    "reject_reason": "reason",
    "restate_reason": "reason",
    "broken_trade_reason": "reason",
}
LETTERS = {
    "BUY": "B",
    "VISIBLE": "Y",
    "AGENCY": "A",
    "ELIGIBLE": "Y",
    "CONTINUOUS_MARKET": "N",
    "LIVE": "L",
    "MARKET_HOURS": "0",
    "ADDED": "A",
    "START_OF_DAY": "S",
    "ERRONEOUS": "E",
    "REFRESH_OF_DISPLAY": "R",
}
TAGS = {
    "secondary_order_ref_num": 1,
    "firm": 2,
    "min_qty": 3,
    "customer_type": 4,
    "max_floor": 5,
    "price_type": 6,
    "peg_offset": 7,
    "discretion_price": 9,
    "discretion_price_type": 10,
    "discretion_peg_offset": 11,
    "post_only": 12,
    "random_reserves": 13,
    "route": 14,
    "expire_time": 15,
    "trade_now": 16,
    "handle_inst": 17,
    "display_qty": 22,
    "display_price": 23,
    "group_id": 24,
    "shares_located": 25,
}


def kind(case: dict[str, Any]) -> str:
    return str(next(iter(case["model"])))


def by_the_text(case: dict[str, Any]) -> str:
    """The crate's bytes with symbols of eight characters."""
    hexed = str(case["hex"])
    ninth = NINTH_OF_SYMBOL.get(kind(case))
    if ninth is None:
        return hexed
    assert hexed[2 * ninth : 2 * ninth + 2] == "20"
    return hexed[: 2 * ninth] + hexed[2 * ninth + 2 :]


def agrees(ours: object, model: object) -> bool:
    """A price is an integer on the wire, cut off and not rounded by the crate; a word stands for a letter."""
    if isinstance(model, float):
        return isinstance(ours, int) and abs(ours - model * 10_000) <= 1
    return ours == (LETTERS.get(model, model) if isinstance(model, str) else model)


@pytest.mark.parametrize("case", [case for case in CASES if kind(case) != "OrderCanceled"], ids=kind)
def test_fields_and_options_read_as_the_crate_wrote_them(case: dict[str, Any], itch: Itch) -> None:
    (read,) = itch("ouch", case["direction"], "--profile", PROFILE, lines_in=by_the_text(case) + "\n")
    fields: dict[str, Any] = dict(next(iter(case["model"].values())))
    options = fields.pop("appendages", {})
    for name, value in fields.items():
        ours = read[OUR_NAMES.get(name, name)]
        assert agrees(ours.rstrip() if isinstance(ours, str) else ours, value), name
    seen = {tag: bytes.fromhex(hexed) for tag, hexed in read["options"]}
    assert sorted(seen) == sorted(TAGS[name] for name in options)
    for name, value in options.items():
        if isinstance(value, int | float) and name not in FLOATS_OF_THE_CRATE:
            assert agrees(int.from_bytes(seen[TAGS[name]], "big"), value), name
        elif name in ("firm", "route"):
            assert seen[TAGS[name]] == str(value).encode()


def test_every_message_of_the_text_is_among_the_cases() -> None:
    types = {(case["direction"], bytes.fromhex(case["hex"])[:1]) for case in CASES}
    inbound = {letter for direction, letter in types if direction == "in"}
    outbound = {letter for direction, letter in types if direction == "out"}
    assert inbound == {b"O", b"U", b"X", b"M", b"Q"}
    assert outbound == {b"S", b"A", b"U", b"C", b"D", b"E", b"B", b"J", b"P", b"I", b"T", b"M", b"R", b"Q"}


def test_the_crates_canceled_is_refused_and_the_texts_is_taken(itch: Itch) -> None:
    (case,) = [case for case in CASES if kind(case) == "OrderCanceled"]
    of_crate = bytes.fromhex(case["hex"])
    of_text = of_crate[:9] + of_crate[13:]
    assert len(of_text) == 18
    refused, taken = itch(
        "ouch", "out", "--profile", PROFILE, lines_in=f"{of_crate.hex()}\n{of_text.hex()}\n"
    )
    assert refused["reject"] == "too_long"
    model = case["model"]["OrderCanceled"]
    assert (taken["user_ref_num"], taken["quantity"]) == (model["user_ref_number"], model["quantity"])


@pytest.mark.parametrize("case", CASES, ids=kind)
def test_no_truncation_is_taken(case: dict[str, Any], itch: Itch) -> None:
    whole = by_the_text(case)
    shorter = [whole[:end] for end in range(2, len(whole), 2)]
    lines = itch(
        "ouch", case["direction"], "--profile", PROFILE, lines_in="".join(f"{hexed}\n" for hexed in shorter)
    )
    taken = [line for line in lines if "reject" not in line]
    if kind(case) == "OrderCanceled":  # 18 of the crate's 22 bytes have the shape of the text's
        assert len(taken) == 1
    else:
        assert not taken
