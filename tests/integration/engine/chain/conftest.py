"""Chains for tests: venue, gateway and engines as they ship."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.engine.chain import Chain


@pytest.fixture
def make_chain(native: Path) -> Iterator[Callable[..., Chain]]:
    """Build chains; keywords are those of `Chain`. All of it ends with the test."""
    with ExitStack() as stack:
        yield lambda **how: Chain(native, stack, **how)


@pytest.fixture
def chain(make_chain: Callable[..., Chain]) -> Chain:
    """A chain with a test gateway and the slots a and b; no engine runs yet."""
    return make_chain()
