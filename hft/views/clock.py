"""How a host's clock is shown: who steers what, and each file with the whys of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hft.views.table import show_table, show_wrapped
from transport.show import Styled, tell
from tuning.clock.plan import ClockPlan


class File(Protocol):
    """A file as it lies on the host."""

    @property
    def path(self) -> str: ...
    @property
    def content(self) -> bytes: ...


def show_clock(plan: ClockPlan, files: Sequence[File]) -> None:
    """The daemons, what they push aside, and every file."""
    wish = plan.wish
    ports = ", ".join(wish.ports)
    said = f"{plan.host}: {wish.role} in domain {wish.domain}, {wish.transport}, {wish.delay}, at {ports}"
    tell(Styled(said, "bold"))
    rows = [
        (
            one.unit,
            one.steers,
            "yes" if one.is_writer else "no",
            str(one.cpus) if one.cpus else "-",
            str(one.fifo_priority or "-"),
            one.why,
        )
        for one in plan.daemons
    ]
    show_table(("unit", "steers", "may set the system clock", "CPUs", "FIFO", "why"), rows)
    others = ", ".join(unit for unit, _ in plan.masked)
    show_wrapped(f"not beside them: {others} ({plan.masked[0][1]})", indent=2)
    for file in files:
        tell()
        tell(Styled(file.path, "bold"))
        for line in file.content.decode().rstrip("\n").split("\n"):
            tell(f"  {line}".rstrip())
