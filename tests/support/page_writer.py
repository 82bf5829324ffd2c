"""A process that writes a metrics page as an engine does, and obeys signals: `page_writer.py PATH`.

The page is the independent engine's. SIGUSR1 sets the kill latch, SIGUSR2 clears it, SIGHUP is a feed gap.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from engine.contract.states import NUMBER, State
from engine.independent.page import Page


def main(path: str) -> None:
    """Beat every 5 ms until killed."""
    page = Page(Path(path))
    page.set("engine_state", NUMBER[State.STANDBY])

    def latch(number: int, _: object) -> None:
        is_set = number == signal.SIGUSR1
        page.set("engine_latched", int(is_set))
        page.set("engine_state", NUMBER[State.HALTED if is_set else State.STANDBY])

    signal.signal(signal.SIGUSR1, latch)
    signal.signal(signal.SIGUSR2, latch)
    signal.signal(signal.SIGHUP, lambda *_: page.add("engine_feed_gaps_total", 1))
    while True:
        page.beat()
        page.span(4_000)
        time.sleep(0.005)


if __name__ == "__main__":
    main(sys.argv[1])
