"""Which CPU does what: generator and venue end are one process on one CPU, the hot thread has another.

The gateway and the engine's other threads go to a third CPU where there is one, else to the generator's:
never beside the hot thread. On a single CPU nothing is pinned and nobody spins; what comes out then
proves nothing about time, and the verdicts say so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """CPU numbers; None: not pinned."""

    generator: int | None
    hot: int | None
    rest: int | None
    spins: bool

    @property
    def is_alone(self) -> bool:
        """The hot thread has a CPU of its own."""
        return self.hot is not None

    def idle(self) -> str:
        """How the hot loops wait."""
        return "spin" if self.spins else "backoff"

    def roles(self) -> dict[str, list[int]]:
        """The engine's `cpus`."""
        if self.hot is None or self.rest is None:
            return {}
        return {"hot": [self.hot], **{role: [self.rest] for role in ("journal", "admin", "other")}}


def lay_out(cpus: Collection[int], *, spins: bool) -> Layout:
    """A layout on the CPUs this process may use."""
    ordered = sorted(cpus)
    if len(ordered) < 2:
        return Layout(generator=None, hot=None, rest=None, spins=False)
    rest = ordered[2] if len(ordered) > 2 else ordered[0]
    return Layout(generator=ordered[0], hot=ordered[1], rest=rest, spins=spins)
