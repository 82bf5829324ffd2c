"""The reason of a step is one line of text: it is shown, kept in the journal, and read by people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent import parsing
from agent.errors import RefusedError
from tests.support.kill_harness import document

DOCUMENT: dict[str, Any] = json.loads(document("a" * 64))
LINES = ["", "because", "größer", "a" * 2000]
NO_LINES = ["a\nb", "\x1b[2Jok", "a\x00", "a\u2028b", "\x85", "a\rb", "a" * 2001]


def with_reason(at: int, why: str) -> bytes:
    steps = [{**step, "why": why} if place == at else step for place, step in enumerate(DOCUMENT["steps"])]
    return json.dumps({**DOCUMENT, "steps": steps}).encode()


@pytest.mark.parametrize("at", range(len(DOCUMENT["steps"])))
def test_a_reason_is_one_line_in_every_kind_of_step(at: int) -> None:
    for why in LINES:
        assert parsing.parse(with_reason(at, why)).steps[at].why == why
    for why in NO_LINES:
        with pytest.raises(RefusedError, match="no line of text"):
            parsing.parse(with_reason(at, why))


def test_what_an_earlier_agent_took_is_still_undone() -> None:
    step = {"kind": "irqs", "cpus": "0", "why": "a\nb"}
    assert parsing.parse_step(step, "step 0", True).why == "a\nb"
    with pytest.raises(RefusedError, match="no line of text"):
        parsing.parse_step(step, "step 0", False)
