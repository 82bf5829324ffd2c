"""The only waiting loop of the lab: bounded, and it says what it waited for when it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError

Seen = TypeVar("Seen")


def wait_until(
    look: Callable[[], Seen | None], *, what: str, timeout_s: float, interval_s: float = 0.5
) -> Seen:
    """Call LOOK until it returns something other than None or False; LabError after TIMEOUT_S."""
    deadline = time.monotonic() + timeout_s
    while True:
        last_try = time.monotonic() >= deadline
        seen = look()
        if seen is not None and seen is not False:
            return seen
        if last_try:
            raise LabError(f"{what}: not seen within {timeout_s:.0f} s")
        time.sleep(interval_s)
