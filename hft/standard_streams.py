"""Standard input, output and error are always open, whatever started this process.

A supervisor, or a shell's `>&-`, may start `hft` with one of them closed. Python then has None for it, and
the next file that is opened, a lock or a record, gets its number: what a child prints would go into it.
"""

from __future__ import annotations

import os
import sys

_MODES = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed() -> None:
    """Put the null device in the place of those that are closed: nothing comes from there, nobody reads."""
    for number, (name, mode) in enumerate(_MODES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, and those below are open
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
