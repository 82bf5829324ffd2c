"""How a host ended: a result of a closed list, what was seen, and what to do next, as fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from deploys.errors import BusyError, HalfUndoneError, RefusedError, RolledBackError
from transport.errors import HostError, UnreachableError, sentence
from transport.sanitize import printable

Result = Literal[
    "applied",
    "staged",
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
GOOD: frozenset[Result] = frozenset({"applied", "staged", "committed", "no_change"})
RESULT_OF: tuple[tuple[type[HostError], Result], ...] = (
    (UnreachableError, "unreachable"),
    (BusyError, "busy"),
    (RolledBackError, "rolled_back"),
    (HalfUndoneError, "half_undone"),
    (RefusedError, "refused"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOutcome:
    """How one host ended; `changed` are the settings that were, `txn` the transaction on the host."""

    host: str
    result: Result
    seen: str
    hint: str = ""
    txn: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was seen and what to do next, without the host's name."""
        return sentence("", self.seen, self.hint)

    @property
    def is_good(self) -> bool:
        """Whether the next step and the next wave may begin."""
        return self.result in GOOD


Told: TypeAlias = Callable[[Sequence[HostOutcome]], None]  # gets outcomes once they are final
Stood: TypeAlias = Callable[
    [HostOutcome, str], None
]  # gets one behind a step that others follow, and its name


def outcome_of(name: str, error: Exception, txn: str | None = None) -> HostOutcome:
    """The outcome that an error means."""
    result: Result = next((result for kind, result in RESULT_OF if isinstance(error, kind)), "failed")
    if isinstance(error, HostError):
        seen, hint = printable(error.message), printable(error.hint)
    else:
        seen, hint = printable(f"{type(error).__name__}: {error}"), "please report it"
    return HostOutcome(host=name, result=result, seen=seen, hint=hint, txn=txn)
