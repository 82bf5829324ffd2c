"""Deliberate faults: `broken("clause.id")` is true in the process started with `--mutant clause.id`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_CHOSEN: set[str] = set()
_ASKED: set[str] = set()
# A directory to note in which clauses were asked about, one file for each working directory: where a mutant's
# question was never asked the mutant is the good engine, and the matrix of mutants and cases need not run it.
_NOTES = os.environ.get("STUB_ASKED")


def choose(clause: str) -> None:
    """Break CLAUSE from now on."""
    _CHOSEN.add(clause)


def broken(clause: str) -> bool:
    """Whether this process must break CLAUSE."""
    if _NOTES is not None and clause not in _ASKED:
        _ASKED.add(clause)
        with contextlib.suppress(OSError), (Path(_NOTES) / Path.cwd().name).open("a") as notes:
            notes.write(f"{clause}\n")
    return clause in _CHOSEN
