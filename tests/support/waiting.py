"""Waiting for something that another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")
PATIENCE_S = 10.0


def until(
    truth: Callable[[], T | Literal[False] | None],
    what: str = "it",
    patience_s: float = PATIENCE_S,
    every_s: float = 0.01,
) -> T:
    """The first true value of TRUTH, asked again until patience ends; then the test fails and names WHAT."""
    end = time.monotonic() + patience_s
    while not (value := truth()):
        assert time.monotonic() < end, f"waited {patience_s:g} s in vain for {what}"
        time.sleep(every_s)
    return value
