"""The hosts of a stack in its lab, as the runner asks for them."""

from __future__ import annotations

from dataclasses import dataclass

from lab.driver import Lab
from stacks.lab.hosts import owner_of
from stacks.runner.world import Real, Settings

TYPE = "pulumi-python:dynamic/hft:LabHost"
HALF_MADE = "half-made:"  # before the name, where a UUID would be: it has none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class LabWorld:
    """A lab, and whose hosts in it are meant."""

    lab: Lab
    owner: str
    types: frozenset[str] = frozenset({TYPE})

    def objects(self) -> tuple[Real, ...]:
        """The owner's hosts: whole from the moment they are in the lab's record, running or not."""
        entries = self.lab.entries()
        whole = (
            Real(id=entry["uuid"], name=name, ready=True)
            for name, entry in entries.items()
            if entry.get("owner") == self.owner
        )
        cut_off = (
            Real(id=f"{HALF_MADE}{name}", name=name, ready=False) for name in self.lab.half_made(self.owner)
        )
        return (*whole, *cut_off)

    def delete(self, item: str) -> None:
        """Remove one, or what there is of it."""
        for one in self.objects():
            if one.id == item:
                self.lab.remove(one.name, lambda _: None, uuid=item if one.ready else None)


def world(settings: Settings, stack: str) -> LabWorld:
    """The world of a stack with these settings."""
    return LabWorld(lab=Lab.named(settings["lab:lab"]), owner=owner_of(stack))
