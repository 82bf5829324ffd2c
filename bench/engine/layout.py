"""Which CPU does what: generator and venue end are one process on one CPU, the hot thread has another.

The gateway and the engine's other threads go to a third CPU where there is one, else to the generator's:
never beside the hot thread. On a single CPU nothing is pinned and nobody spins; what comes out then
proves nothing about time, and the verdicts say so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """CPU numbers; None: not pinned."""

    generator: int | None
    hot: int | None
    rest: int | None
    spins: bool
    gives_way: bool = False

    @property
    def is_alone(self) -> bool:
        """The hot thread has a CPU of its own."""
        return self.hot is not None

    def idle(self) -> str:
        """How the hot loops wait."""
        return "spin" if self.spins else "backoff"

    def generator_idle(self) -> str:
        """How the generator waits: it offers its CPU between two looks when somebody needs it at once."""
        return "yield" if self.spins and self.gives_way else self.idle()

    def for_gateway(self) -> Layout:
        """The same with a gateway on the rest's CPU: beside a spinning generator it would wait for a whole
        slice of the scheduler, milliseconds, and the hop would be a figure of that."""
        return replace(self, gives_way=self.rest == self.generator)

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
