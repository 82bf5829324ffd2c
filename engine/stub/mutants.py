"""Deliberate faults: `broken("clause.id")` is true in the one process that was started with `--mutant clause.id`."""

from __future__ import annotations

_CHOSEN: set[str] = set()


def choose(clause: str) -> None:
    """Break CLAUSE from now on."""
    _CHOSEN.add(clause)


def broken(clause: str) -> bool:
    """Whether this process must break CLAUSE."""
    return clause in _CHOSEN
