"""A clause: one sentence that a case can judge from outside."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contract.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One obligation of an engine; the meaning of an ID never changes, a new obligation gets a new ID."""

    id: str
    level: Level
    must: str
    why: str


def core(id_: str, must: str, why: str) -> Clause:
    """A clause of level `core`."""
    return Clause(id=id_, level=Level.CORE, must=must, why=why)


def trading(id_: str, must: str, why: str) -> Clause:
    """A clause of level `trading`."""
    return Clause(id=id_, level=Level.TRADING, must=must, why=why)
