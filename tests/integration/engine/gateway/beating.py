"""Peers that beat, and what a test can say when their beats came late."""

from __future__ import annotations

import threading
import time
from typing import Any

from tests.support.engine.engine_peer import EnginePeer
from tests.support.waiting import until

BEAT_MS = 50
SILENCE_MS = 1000  # tests run beside others: no thread here may be late by as much


class Beating:
    """Peers that beat, each in its own words, until they are told to stop."""

    def __init__(self) -> None:
        self.words: dict[EnginePeer, dict[str, Any]] = {}
        self.silence_ms = SILENCE_MS  # that the test allows
        self.rounds = 0
        self.worst_ms = 0.0
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        last = time.monotonic()
        while not self.is_over:
            for peer, words in list(self.words.items()):
                peer.beat(**words)
            now = time.monotonic()
            self.worst_ms = max(self.worst_ms, (now - last) * 1000)
            last = now
            self.rounds += 1
            time.sleep(BEAT_MS / 1000)

    def said(self) -> None:
        """Until what the peers say now was sent."""
        least = self.rounds + 2
        until(lambda: self.rounds >= least, "two rounds of beats")

    def inconclusive(self) -> str:
        """Why a failure says nothing about the gateway: these beats themselves came too late; else empty."""
        is_late = self.worst_ms >= 0.8 * self.silence_ms
        return (
            f"beats of the test came {self.worst_ms:.0f} ms apart, {self.silence_ms} are silence"
            if is_late
            else ""
        )

    def close(self) -> None:
        """No more."""
        self.is_over = True
        self.thread.join(10)
