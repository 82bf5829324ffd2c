"""How a host ended: one result of a closed list, one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploys.errors import BusyError, HalfUndoneError, RefusedError, RolledBackError, UnreachableError
from deploys.text import printable

Result = Literal[
    "applied",
    "committed",
    "no_change",
    "rolled_back",
    "half_undone",
    "refused",
    "unreachable",
    "busy",
    "failed",
    "not_run",
]
GOOD: frozenset[Result] = frozenset({"applied", "committed", "no_change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnd:
    """How one host ended, in one sentence, and the settings that were changed."""

    host: str
    result: Result
    sentence: str
    txn: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the next wave may begin."""
        return self.result in GOOD


def ended_by(name: str, error: Exception, txn: str | None = None) -> HostEnd:
    """The end that an error means."""
    results: tuple[tuple[type[Exception], Result], ...] = (
        (UnreachableError, "unreachable"),
        (BusyError, "busy"),
        (RolledBackError, "rolled_back"),
        (HalfUndoneError, "half_undone"),
        (RefusedError, "refused"),
    )
    result: Result = next((result for kind, result in results if isinstance(error, kind)), "failed")
    sentence = printable(str(error)) or type(error).__name__
    return HostEnd(host=name, result=result, sentence=sentence.removeprefix(f"{name}: "), txn=txn)
