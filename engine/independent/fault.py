"""How the engine exits early: one sentence and an exit code of the contract."""

from __future__ import annotations

CONFIGURATION, MAYBE_OPEN, INVARIANT, RETRY = 64, 69, 70, 75


class EndError(Exception):
    """Stop the process with this exit code and sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
