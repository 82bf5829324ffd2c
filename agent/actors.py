"""One actor per step: observe, prepare, act, undo, tidy. Each is idempotent and may be killed anywhere and
rerun.

    observe   reads only; says whether the host already shows what is wanted and takes the before-image
    prepare   writes whatever needs disk (temporary files), changes nothing the host uses
    act       makes the change: one rename, one write to /proc, one call of systemctl
    undo      brings the before-image back, whatever of the step was done; needs no disk
    settle    after every undo: what has to wait for the others (a unit starts when its file is back)
    tidy      removes what prepare left beside the target

The journal (agent/journal.py) keeps every before-image durable between prepare's start and the last act, so
that undo can run in another process, or after a power cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a step found: JSON enough to undo it, and a file's old content apart."""

    wanted: bool
    image: Mapping[str, Any]
    content: bytes | None = None
    note: str = ""


class Actor(Protocol):
    """How one step is done and undone."""

    @property
    def kind(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def is_live(self) -> bool:
        """Whether it is a kernel value, which a reboot forgets by itself."""

    @property
    def reads_back(self) -> bool:
        """Whether `observe` after `act` must show what is wanted; else `act` proves itself."""

    def observe(self) -> Before: ...

    def prepare(self, before: Before) -> None: ...

    def act(self) -> str: ...

    def undo(self, before: Before) -> str: ...

    def settle(self, before: Before, *, same_boot: bool) -> str: ...

    def tidy(self) -> None: ...


class Plainly:
    """The parts of an actor that most kinds do not need."""

    is_live = False
    reads_back = True

    def prepare(self, before: Before) -> None:
        """Nothing to write ahead."""
        del before

    def settle(self, before: Before, *, same_boot: bool) -> str:
        """Nothing has to wait for the others."""
        del before, same_boot
        return ""

    def tidy(self) -> None:
        """Nothing was left beside the target."""
