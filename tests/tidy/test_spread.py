"""The order in which processes get the tests (tests/conftest.py): complete, and of tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import LONGEST, dealt
from tests.support.checkout import ROOT

NAMES = [
    *(f"tests/unit/test_a.py::test_{number}" for number in range(90)),
    *(f"{long}::x" for long in LONGEST),
]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 64])
def test_every_test_is_dealt_once_and_the_long_ones_head_the_stretches(workers: int) -> None:
    order = dealt(NAMES, workers)
    assert sorted(order) == sorted(NAMES)
    heads, at = set(), 0
    for worker in range(min(workers, len(LONGEST))):
        heads.add(order[at].removesuffix("::x"))
        at += (len(order) - at) // (workers - worker)  # as xdist's worksteal cuts them
    assert workers > len(LONGEST) or heads == set(LONGEST[:workers])


@pytest.mark.parametrize("long", LONGEST)
def test_what_is_called_long_is_there(long: str) -> None:
    path, _, name = long.partition("::")
    assert re.search(rf"def {name or 'test_'}", (ROOT / path).read_text())
