"""Whether this machine stood still: a process that only looks at the clock says when it could not."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import TracebackType

STALL_MS = 100  # a fifth of the silence that drills allow: no holder may be late by as much
SPIN = f"""
import sys, time
last = time.monotonic_ns()
while True:
    now = time.monotonic_ns()
    if now - last > {STALL_MS} * 1_000_000:
        print(last, now, flush=True)
        now = time.monotonic_ns()
    last = now
    time.sleep(0.001)
"""


class Stalls:
    """Intervals of CLOCK_MONOTONIC in which nothing here ran."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int]] = []

    def __enter__(self) -> Stalls:
        self._process = subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            first, _, last = line.partition(" ")
            self._found.append((int(first), int(last)))

    def inconclusive(self) -> str:
        """Why a failure says nothing about what was tested; empty when nothing stood still."""
        worst_ms = max(((last - first) / 1e6 for first, last in list(self._found)), default=0.0)
        return f"this machine stood still for {worst_ms:.0f} ms" if worst_ms else ""

    def within(self, began_ns: int, ended_ns: int) -> bool:
        """Whether there was one between these moments."""
        return any(first < ended_ns and last > began_ns for first, last in list(self._found))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
