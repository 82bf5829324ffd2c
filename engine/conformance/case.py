"""Cases: functions that run one scenario on a bench and raise Broken when the clause does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.conformance.bench import Bench
from engine.contract.clauses import CLAUSES
from engine.contract.levels import Level

Scene = Callable[[Bench], None]
_LEVELS = {clause.id: clause.level for clause in CLAUSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scenario of one clause."""

    clause: str
    name: str
    level: Level
    play: Scene


class Register:
    """The cases of one file."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def case(self, clause: str, level: Level | None = None) -> Callable[[Scene], Scene]:
        """Register a scenario for CLAUSE; LEVEL when the scenario needs more than the clause does."""

        def register(scene: Scene) -> Scene:
            name = scene.__name__.replace("_", " ")
            self.cases.append(Case(clause=clause, name=name, level=level or _LEVELS[clause], play=scene))
            return scene

        return register
