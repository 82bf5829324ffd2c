"""What the engine tells of a run, as it goes; of each event its step alone, because events hold secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import EngineEvent

from stacks.runner.checkpoint import OWN, name_of

SAME = ("same", "read", "refresh")
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """One step of the engine: what is done (create, update, replace, delete ...) to which resource."""

    urn: str
    op: str
    type: str

    @property
    def is_loss(self) -> bool:
        """Whether an object goes."""
        return "delete" in self.op or "replace" in self.op or "discard" in self.op


@dataclass(slots=True, kw_only=True)
class Seen:
    """The steps of one run, those that failed, and what was said of them."""

    changes: list[Change] = field(default_factory=list)
    failed: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    told: Told = lambda _: None
    is_refresh: bool = False  # what a refresh finds is told with its result, not before

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        began = event.res_outputs_event if self.is_refresh else event.resource_pre_event
        if began:
            change = _change(began.metadata)
            if change.op not in SAME and not change.type.startswith(OWN):
                self.changes.append(change)
                self.told(f"{change.op} {name_of(change.urn)}")
        elif event.res_op_failed_event:
            self.failed.append(_change(event.res_op_failed_event.metadata))
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self.errors.append(event.diagnostic_event.message)


def _change(metadata: Any) -> Change:
    op = metadata.op
    return Change(urn=metadata.urn, op=str(getattr(op, "value", op)), type=metadata.type)
