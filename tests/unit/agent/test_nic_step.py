"""A step for a port's parameter as a document has it, and as the journal gives it back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.document import Document, NicStep
from agent.errors import RefusedError
from agent.parsing import encode, parse

HEAD = {
    "schema": 1,
    "txn": "20261121T101500-3f2a9c1b",
    "host": "e1",
    "machine_id": "0" * 32,
    "plan_hash": "0" * 64,
    "topology_digest": "0" * 64,
    "boot": None,
}


def parsed(knob: str, value: object, *, inverse: bool = False) -> Document:
    step: dict[str, Any] = {"kind": "nic", "device": "ens1", "knob": knob, "value": value, "why": "w"}
    undone = {"reverts": None} if inverse else {}
    return parse(json.dumps({**HEAD, **undone, "steps": [step]}).encode(), inverse=inverse)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("flows", ["udp/239.1.1.1/26400/1", "raw/" + "0" * 336]),
        ("rss.table", ["0", "2"]),
        ("rss.table", ["=0", "=0", "=2"]),
        ("rss.key", ["6d5a"]),
        ("rss.udp4", 240),
    ],
)
def test_words_and_numbers_come_back_from_the_journal(knob: str, value: object) -> None:
    made = parsed(knob, value)
    assert made.steps[0] == parse(encode(made), inverse=True).steps[0]
    (step,) = made.steps
    assert isinstance(step, NicStep) and step.value == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("flows", "udp/239.1.1.1/26400/1"),
        ("flows", ["udp/239.1.1.1/26400/1 "]),
        ("flows", ["drop everything"]),
        ("flows", [7]),
        ("flows", []),
        ("flows", ["udp/239.1.1.1/26400/1"] * 4097),
        ("rss.table", ["x"]),
        ("rss.key", 7),
        ("features.gro", 2),
        ("features.gro", ["1"]),
    ],
)
def test_anything_else_is_refused(knob: str, value: object) -> None:
    with pytest.raises(RefusedError, match=f"'value'|of {knob}"):
        parsed(knob, value)


def test_only_an_inverse_may_leave_no_rule() -> None:
    assert parsed("flows", [], inverse=True).steps


def test_only_what_has_a_maximum_is_capped() -> None:
    step = {"kind": "nic", "device": "ens1", "value": 4, "why": "w", "is_capped": True}
    head = json.dumps({**HEAD, "steps": [{**step, "knob": "rings.rx"}]})
    (made,) = parse(head.encode()).steps
    assert isinstance(made, NicStep) and made.is_capped
    with pytest.raises(RefusedError, match=r"no driver has a maximum of coalesce\.rx_usecs"):
        parse(head.replace("rings.rx", "coalesce.rx_usecs").encode())
