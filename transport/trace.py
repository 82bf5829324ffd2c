"""What was asked of which host and how that ended, for whoever listens: `-v`, and the log of a run.

An event has what the program knows, never what was sent: a document on standard input may hold what nobody
but its host is to read. Who listens is told from whichever thread asked, one event at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

LINE_MAX = 400  # of a command; a capture script is longer, and is the same each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One remote command: its command line, bytes that were sent and came, how it ended in a few words."""

    host: str
    where: str
    line: str
    sent: int
    came: int
    seconds: float
    ended: str

    @property
    def short(self) -> str:
        """`engine-1: exit 0 in 0.42 s, sent 21034 bytes, got 41020`."""
        sent = f"sent {self.sent} bytes, " if self.sent else ""
        return f"{self.host}: {self.ended} in {self.seconds:.2f} s, {sent}got {self.came}"

    @property
    def whole(self) -> str:
        """The same, with where it went and the command line."""
        return f"{self.short} ({self.where}): {self.line}"


Listener = Callable[[Asked], None]
_LISTENERS: list[Listener] = []
_TURN = RLock()


def listen(listener: Listener | None) -> None:
    """Tell LISTENER from now on, and nobody else; None tells nobody."""
    _LISTENERS[:] = [] if listener is None else [listener]


def trace(event: Asked) -> None:
    """Tell who listens."""
    with _TURN:
        for listener in _LISTENERS:
            listener(event)
