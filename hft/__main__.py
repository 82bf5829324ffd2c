"""`python -m hft` and the console script: from its first line on, a signal ends `hft` as Ctrl-C does.

The signals are caught before anything is imported (which takes a tenth of a second), so that no run ever ends
with a traceback or without closing its record.
"""

from __future__ import annotations

import os
import sys

from hft.own_rooms import come_first
from hft.signals import end_as_ctrl_c
from hft.standard_streams import open_closed


def main() -> None:
    """Entry point of the console script."""
    end_as_ctrl_c()
    try:
        open_closed()
        come_first()
        from hft.cli import main as run

        code = run()
    except KeyboardInterrupt:
        os.write(sys.stderr.fileno(), b"hft: interrupted before anything was done\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
