"""Lines A and B made one: each message once and in order, gaps asked for again.

What comes out are packets for the core. A packet without messages whose number is ahead tells the core that
it waits for something.
"""

from __future__ import annotations

import time

from engine.stub import wire
from engine.stub.mutants import broken

ASK_AGAIN_NS = 200_000_000
KEEPALIVE_NS = 10_000_000
REQUEST_MAX = 1000


class Feed:
    """Arbitration of one session."""

    def __init__(self) -> None:
        self.next = 1
        self.gaps = 0
        self._session = b" " * 10
        self._early: dict[int, bytes] = {}
        self._seen = 0  # one past the highest number any line told of
        self._asked_ns = self._told_ns = 0

    def take(self, data: bytes, line: str) -> list[bytes]:
        """Packets for the core out of one datagram."""
        packet = wire.mold(data)
        if packet is None or (line == "B" and packet.messages and broken("feed.arbitration")):
            return []
        self._session = packet.session
        was_gapped = self.gapped
        self._seen = max(self._seen, packet.sequence + len(packet.messages))
        for offset, message in enumerate(packet.messages):
            if packet.sequence + offset >= self.next:
                self._early[packet.sequence + offset] = message
        first, messages = self.next, []
        while self.next in self._early:
            messages.append(self._early.pop(self.next))
            self.next += 1
        if messages:
            found = [wire.mold_packet(self._session, first, messages)]
            return found + self._note() if self.gapped else found
        self.gaps += self.gapped and not was_gapped
        return self._note() if self.gapped != was_gapped or self._is_time() else []

    @property
    def gapped(self) -> bool:
        """Whether a number is missing."""
        return self._seen > self.next

    def _is_time(self) -> bool:
        return time.monotonic_ns() - self._told_ns >= KEEPALIVE_NS

    def _note(self) -> list[bytes]:
        self._told_ns = time.monotonic_ns()
        return [wire.mold_packet(self._session, max(self._seen, self.next), [])]

    def request(self) -> bytes | None:
        """The request for the first hole, when it is time to ask."""
        now = time.monotonic_ns()
        if not self.gapped or now - self._asked_ns < ASK_AGAIN_NS or broken("feed.rerequest"):
            return None
        self._asked_ns = now
        until = min(self._early, default=self._seen)
        return wire.mold_request(self._session, self.next, min(until - self.next, REQUEST_MAX))
