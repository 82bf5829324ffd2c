"""All clauses, in the order of the page and of the suite's table."""

from __future__ import annotations

from engine.contract.clause import Clause
from engine.contract.clauses_core import CORE
from engine.contract.clauses_trading import TRADING
from engine.contract.levels import Level

CLAUSES: tuple[Clause, ...] = (*CORE, *TRADING)


def clauses_of(level: Level) -> tuple[Clause, ...]:
    """The clauses that an engine of LEVEL must keep."""
    return tuple(clause for clause in CLAUSES if clause.level in level.includes)
