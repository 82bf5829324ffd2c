"""One actor per step: observe, prepare, act, undo, settle, tidy. Each is idempotent, may be killed anywhere
and may be rerun.

    observe   reads only; reports whether the wanted value is already set, and takes the before-image
    prepare   writes whatever needs disk space (temporary files), changes nothing the host uses
    act       makes the change: one rename, one write to /proc, one systemctl call
    undo      restores the before-image, however much of the step was done; needs no disk space
    settle    after every undo: what has to wait for the others (a unit starts once its file is restored)
    tidy      removes what prepare left beside the target

The journal (agent/transaction/journal.py) keeps every before-image durable from the start of prepare to the
last act, so that undo can run in another process, or after a power cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a step found: JSON sufficient to undo it, and a file's old content separately."""

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
        """Whether it is a live kernel value, which a reboot resets."""

    @property
    def reads_back(self) -> bool:
        """Whether `observe` after `act` must show the wanted value; otherwise `act` verifies itself."""

    def observe(self) -> Before: ...

    def prepare(self, before: Before) -> None: ...

    def act(self) -> str: ...

    def undo(self, before: Before) -> str: ...

    def settle(self, before: Before, *, same_boot: bool) -> str: ...

    def tidy(self) -> None: ...


class Plainly:
    """Defaults for the parts of an actor that most kinds do not need."""

    is_live = False
    reads_back = True

    def prepare(self, before: Before) -> None:
        """Nothing to prepare."""
        del before

    def settle(self, before: Before, *, same_boot: bool) -> str:
        """Nothing has to wait for the others."""
        del before, same_boot
        return ""

    def tidy(self) -> None:
        """Nothing to remove beside the target."""
