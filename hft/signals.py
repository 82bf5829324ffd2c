"""What ends a run from outside: a lost terminal and a stopped service end it as Ctrl-C does."""

from __future__ import annotations

import signal


def end_as_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does, however we were started."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
