"""The agent's answer: one JSON document per transaction, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

SCHEMA = 1
EXIT_BY_RESULT = {"applied": 0, "staged": 0, "no_change": 0, "refused": 2, "reverted": 6, "half_undone": 10}
EXIT_BUSY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of one step: done, unchanged, reverted, not_undone or not_run."""

    index: int
    kind: str
    target: str
    result: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The one answer to one document: applied, staged, no_change, reverted, half_undone or refused.

    `half_undone` is the only result that leaves a host neither old nor new: the steps marked not_undone show
    what differs, and every later transaction is refused (recovery_failed) until `recover` succeeds.
    """

    txn: str
    result: str
    code: str
    message: str
    steps: Sequence[StepResult] = ()

    @property
    def exit_code(self) -> int:
        """The agent's documented exit code."""
        return EXIT_BUSY if self.code == "busy" else EXIT_BY_RESULT[self.result]

    def to_json(self) -> str:
        """One line of JSON, the keys in the documented order."""
        document = {
            "schema": SCHEMA,
            "txn": self.txn,
            "result": self.result,
            "code": self.code,
            "message": self.message,
            "steps": [asdict(step) for step in self.steps],
        }
        return json.dumps(document, ensure_ascii=True)
