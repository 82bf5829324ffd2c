"""What only a person knows of a host's time: its part in PTP (IEEE 1588), sources, and limits.

A client takes the time of a grandmaster and nothing else. A boundary clock takes it at one port and gives it
on at others. A grandmaster gives what it has from servers of its own (NTP), and says of itself no more than
that: class 248 is the default of IEEE 1588 for a clock that vouches for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuning.errors import ClockError

ClockRole = Literal["grandmaster", "boundary", "client"]
Transport = Literal["l2", "udp4"]
Delay = Literal["e2e", "p2p"]
Stamps = Literal["hardware", "software"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWish:
    """One host's clock. Ports are network devices' names, sources are addresses.

    `sources`: the NTP servers of a grandmaster. `watch`: NTP servers that only the watchdog asks; what steers
    the clock never does.
    """

    role: ClockRole
    port: str
    serves: tuple[str, ...] = ()
    domain: int = 0
    transport: Transport = "udp4"
    delay: Delay = "e2e"
    stamps: Stamps = "hardware"
    sources: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()

    @property
    def ports(self) -> tuple[str, ...]:
        """Every port that speaks PTP, the one towards the grandmaster first."""
        return (self.port, *self.serves)


def check_wish(wish: ClockWish, head: str = "") -> None:
    """ClockError, which begins with HEAD, for a wish that contradicts itself."""

    def refuse(said: str, hint: str) -> None:
        raise ClockError(f"{head}{said}; hint: {hint}")

    if (wish.role == "boundary") != bool(wish.serves):
        one = "serves no port" if wish.role == "boundary" else f"serves {', '.join(wish.serves)}"
        refuse(f"a {wish.role} {one}", "serves = [...] goes with role boundary, and only with it")
    if len({name.lower() for name in wish.ports}) != len(wish.ports):
        refuse("a port is named twice", "port is the one towards the grandmaster, serves are the others")
    if (wish.role == "grandmaster") != bool(wish.sources):
        said = f"a {wish.role} with {len(wish.sources)} sources"
        refuse(said, "sources = [...] are the NTP servers of a grandmaster, and of nobody else")
    if not wish.watch:
        refuse("nothing watches the clock", "watch = [...] names NTP servers that steer nothing here")
    if same := sorted(set(wish.watch) & set(wish.sources)):
        refuse(f"{same[0]} steers the clock and watches it", "a watchdog needs a server of its own")
