"""What a project tells of the world, so that a run that was cut off can be settled.

The engine knows an object from the moment its creation has answered. What it was creating when it was killed,
or when its provider was, is known to the world alone: so a project whose objects outlive a run says which of
them are a stack's own, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """An object that is there: its id, the name of the resource that it was made for, whether it is whole.

    One that is to be KEPT is never deleted because no state knows it.
    """

    id: str
    name: str
    ready: bool
    kept: bool = False


class World(Protocol):
    """The objects of one stack."""

    @property
    def types(self) -> frozenset[str]:
        """The resource types whose objects `objects` tells."""

    def objects(self) -> tuple[Real, ...]:
        """Every object that this stack made, whether or not its state knows it."""

    def delete(self, item: str) -> None:
        """Delete the object with an id; one that is gone is no error."""


Settings = Mapping[str, str]  # the stack's own settings, `project:key` -> value
