"""A/B line arbitration: each message once and in order, gaps re-requested, strangers ignored.

The output is packets for the core, and every one of them says that the feed lives: so only the session in
force makes any, and only with a number that is not behind. An empty packet tells the core the next number;
one that is ahead says that a message is missing, or that the session ended.
"""

from __future__ import annotations

import time

from engine.independent import wire
from engine.independent.mutants import broken

ASK_AGAIN_NS = 200_000_000
KEEPALIVE_NS = 10_000_000
REQUEST_MAX = 1000
# A line whose numbers stay lower for so many datagrams and so long has withdrawn what it claimed.
BACK_COUNT, BACK_NS = 3, 20_000_000


class Claim:
    """What one line says: one past its highest number, whether it ended, since when it says less."""

    def __init__(self) -> None:
        self.seen = self.lower = self.lower_ns = 0
        self.ended = False

    def note(self, end: int, *, ended: bool) -> None:
        """One datagram of the line."""
        if end >= self.seen:
            self.seen, self.lower, self.ended = end, 0, ended
            return
        now = time.monotonic_ns()
        self.lower_ns = self.lower_ns if self.lower else now
        self.lower += 1
        lasts = self.lower >= BACK_COUNT and now - self.lower_ns >= BACK_NS
        if lasts and not broken("feed.jump"):
            self.seen, self.lower, self.ended = end, 0, ended


class Feed:
    """Arbitration of one session: the configured one, or the first that is heard until all lines end it."""

    def __init__(self, pinned: str | None = None) -> None:
        self.next = 1
        self.gaps = 0
        self._pinned = pinned is not None and not broken("feed.pinned")
        self._session = pinned.ljust(10).encode() if pinned is not None and self._pinned else None
        self._past: set[bytes | None] = set()
        self._early: dict[int, bytes] = {}
        self._lines = {"A": Claim(), "B": Claim()}
        self._asked_ns = self._told_ns = 0

    @property
    def _seen(self) -> int:
        """One past the highest number that a line claims."""
        return max(claim.seen for claim in self._lines.values())

    def take(self, data: bytes, line: str) -> list[bytes]:
        """The packets for the core from one datagram."""
        packet = wire.mold(data)
        if packet is None or (line == "B" and packet.messages and broken("feed.arbitration")):
            return self._note() if packet is None and broken("feed.progress") else []
        if self._is_over and packet.session not in {self._session, *self._past}:
            self._past.add(self._session)
            self.next, self._session, self._early = 1, packet.session, {}
            self._lines = {"A": Claim(), "B": Claim()}
        is_ours = self._session in (None, packet.session) or (packet.messages and broken("feed.session"))
        if not is_ours:
            return self._note() if broken("feed.progress") else []
        self._session = packet.session if self._session is None else self._session
        was_doubted, end = self.doubted, packet.sequence + len(packet.messages)
        is_newest = end >= max(self._seen, self.next)
        self._lines[line].note(end, ended=packet.ended and not broken("feed.ended"))
        for offset, message in enumerate(packet.messages):
            if packet.sequence + offset >= self.next:
                self._early[packet.sequence + offset] = message
        first, messages = self.next, []
        while self.next in self._early:
            messages.append(self._early.pop(self.next))
            self.next += 1
        self._early = {number: early for number, early in self._early.items() if number < self._seen}
        if messages:
            found = [wire.mold_packet(self._session, first, messages)]
            return found + self._note() if self.doubted or was_doubted else found
        self.gaps += self.gapped and not was_doubted
        return self._note() if self.doubted != was_doubted or (is_newest and self._is_time()) else []

    @property
    def gapped(self) -> bool:
        """Whether a number is missing."""
        return self._seen > self.next

    @property
    def doubted(self) -> bool:
        """Whether a number is missing, or a line says that nothing will follow."""
        return self.gapped or any(claim.ended and claim.seen == self._seen for claim in self._lines.values())

    @property
    def _is_over(self) -> bool:
        """Whether every line that ever spoke says that the session ended, and nothing is missing."""
        spoken = [claim for claim in self._lines.values() if claim.seen]
        return bool(spoken) and not (self._pinned or self.gapped) and all(claim.ended for claim in spoken)

    def _is_time(self) -> bool:
        return time.monotonic_ns() - self._told_ns >= KEEPALIVE_NS

    def _note(self) -> list[bytes]:
        self._told_ns = time.monotonic_ns()
        number = max(self._seen, self.next + 1) if self.doubted else self.next
        return [wire.mold_packet(self._session or b" " * 10, number, [])]

    def request(self) -> bytes | None:
        """The request for the first gap, when it is due."""
        now = time.monotonic_ns()
        if not self.gapped or now - self._asked_ns < ASK_AGAIN_NS or broken("feed.rerequest"):
            return None
        self._asked_ns = now
        until = min(self._early, default=self._seen)
        return wire.mold_request(self._session or b"", self.next, min(until - self.next, REQUEST_MAX))
