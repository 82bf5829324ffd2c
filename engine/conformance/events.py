"""The observer's log of events, in order, and waiting for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.conformance.errors import Broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: KIND and its content; CONNECTION counts from 1."""

    kind: str
    value: Any = None
    connection: int = 0
    at_s: float = 0.0


class EventLog:
    """A list that threads append to and cases wait on."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition()

    def add(self, kind: str, value: Any = None, connection: int = 0) -> None:
        """Append one event."""
        with self._changed:
            event = Event(kind=kind, value=value, connection=connection, at_s=time.monotonic())
            self._events.append(event)
            self._changed.notify_all()

    def all(self, *kinds: str) -> list[Event]:
        """Events so far, of these kinds or all."""
        with self._changed:
            return [event for event in self._events if not kinds or event.kind in kinds]

    def wait(self, what: str, ready: Callable[[list[Event]], bool], patience_s: float) -> list[Event]:
        """All events, once READY; Broken naming WHAT on timeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: ready(self._events), timeout=patience_s):
                seen = ", ".join(event.kind for event in self._events[-8:]) or "nothing"
                raise Broken(f"no {what} within {patience_s:g} s (last seen: {seen})")
            return list(self._events)

    def wait_count(self, kind: str, count: int, patience_s: float) -> list[Event]:
        """The first COUNT events of KIND or more."""
        self.wait(f"{count} x {kind}", lambda all_: sum(e.kind == kind for e in all_) >= count, patience_s)
        return self.all(kind)
