"""Deliberate faults: `broken("clause.id")` is true in the process started with `--mutant clause.id`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_CHOSEN: set[str] = set()
_ASKED: set[str] = set()
# A directory that records which clauses were queried, one file per working directory: where a mutant's clause
# was never queried, the mutant behaves like the good engine, and the matrix of mutants and cases can skip it.
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
