"""The objects of a rehearsal, as the runner asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stacks.rehearsal import objects
from stacks.runner.world import Real, Settings

TYPE = "pulumi-python:dynamic/hft:Item"


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalWorld:
    """A folder, and whose objects in it are meant."""

    folder: Path
    owner: str
    types: frozenset[str] = frozenset({TYPE})

    def objects(self) -> tuple[Real, ...]:
        """The owner's objects."""
        found = objects.all_of(self.folder, self.owner)
        return tuple(Real(id=one.id, name=one.name, ready=one.ready) for one in found)

    def delete(self, item: str) -> None:
        """Remove one."""
        objects.delete(self.folder, item)


def world(settings: Settings, stack: str) -> RehearsalWorld:
    """The world of a stack with these settings."""
    return RehearsalWorld(folder=Path(settings["rehearsal:directory"]), owner=stack)
