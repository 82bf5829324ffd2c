"""Notifying the service manager, sd_notify(3): plain datagrams to $NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from engine.independent.mutants import broken


class Notifier:
    """Sends nothing without a $NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self._path = os.environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._every_ns = int(os.environ.get("WATCHDOG_USEC", "0")) * 1000 // 4
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._pinged_ns = self._turns = 0

    def say(self, text: str) -> None:
        """One datagram."""
        if self._path and not (text.startswith("STATUS=") and broken("notify.status")):
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._path)

    def ping(self, turns: int) -> None:
        """WATCHDOG=1 when it is due and the loop has turned since the last one."""
        now = time.monotonic_ns()
        if self._every_ns and now - self._pinged_ns >= self._every_ns and turns != self._turns:
            self._pinged_ns, self._turns = now, turns
            self.say("WATCHDOG=1")
