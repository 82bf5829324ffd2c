"""A stack that its engine can no longer open: the lock of a dead run, a state or its attributes cut off.

The engine replaces its state whole (a file aside, then a rename) and keeps the one before it as a copy. Two
things still leave it unreadable. Without `metadata=skip` in the backend's address a file of attributes beside
the state is written in place, and a kill in that moment leaves it empty: the engine then says "EOF", and the
state is whole (stacks/runner/tools.py asks for none). And nothing of it is flushed, so a power cut may empty
the state itself: the copy takes its place when, and only when, it is whole; what one step then misses is
found in the world, as after any run that was cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stacks.errors import StackError, StackLockedError
from stacks.runner.leftovers import end_leftovers
from stacks.runner.lock import locks_in
from stacks.runner.place import Place

Told = Callable[[str], None]
ATTRIBUTES = ".attrs"


def take_over(place: Place, told: Told) -> None:
    """End what a dead run left behind and remove its lock; StackLockedError where it may be alive."""
    locks = locks_in(place.locks)
    for lock in locks:
        if not lock.dead:
            raise StackLockedError(
                f"{place.who}: locked by {lock.owner}, who may be alive; hint: wait for it, or run this there"
            )
    end_leftovers(place.root, told)
    for lock in locks:
        lock.path.unlink(missing_ok=True)
        told(f"lock of {lock.owner} taken over: {lock.dead}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What is to be done so that the engine can read its state again, and why, line by line."""

    drop: tuple[Path, ...] = ()
    is_restore: bool = False
    why: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the state is whole."""
        return not (self.drop or self.is_restore)


def mending(state: Path, faults: Sequence[tuple[Path, str]], copy_fault: str) -> Mending:
    """What mends a STATE by the faults that were seen of it, its attributes and its copy; nothing is done.

    StackError where the state is unreadable and so is its copy.
    """
    found = dict(faults)
    drop = tuple(path for path in found if path != state)
    why = [f"{path.name}: {found[path]}; it is not needed, and goes" for path in drop]
    if state in found:
        if copy_fault:
            older = state.parents[2] / "backups"
            raise StackError(
                f"{state}: {found[state]}, and the copy beside it is no help: {copy_fault}; "
                f"hint: an older one is in {older}: look, then `pulumi stack import` it"
            )
        why.append(
            f"{state.name}: {found[state]}; the engine's copy of the state before it is whole: restored"
        )
    return Mending(drop=drop, is_restore=state in found, why=tuple(why))


def look(place: Place) -> Mending:
    """What a stack needs, by what is there."""
    state = place.checkpoint
    attributes = [state.with_name(f"{one.name}{ATTRIBUTES}") for one in (state, place.copy)]
    seen = [(state, state_fault(state)), *((one, attributes_fault(one)) for one in attributes)]
    faults = [(path, fault) for path, fault in seen if fault]
    return mending(state, faults, state_fault(place.copy) or _absent(place.copy))


def mend(place: Place, decided: Mending) -> None:
    """Do it; what was unreadable stays beside it, named so."""
    for path in decided.drop:
        path.unlink(missing_ok=True)
    if not decided.is_restore:
        return
    state = place.checkpoint
    os.link(state, state.with_name(f"{state.name}.unreadable-{os.getpid()}"))
    aside = state.with_name(f"{state.name}.restored")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(place.copy.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    aside.replace(state)


def _absent(path: Path) -> str:
    return "" if path.exists() else f"there is no {path.name}"


def state_fault(path: Path) -> str:
    """Why a file is no state of the engine's; nothing when it is one, or is not there."""
    try:
        found = json.loads(path.read_bytes())
        latest = found["checkpoint"]["latest"]
        rows = (latest or {}).get("resources") or []
        if any(not isinstance(row["urn"], str) for row in rows):
            return "a resource in it has no name"
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _why(path, error)
    return ""


def attributes_fault(path: Path) -> str:
    """Why a file of attributes cannot be read; nothing when it can, or is not there."""
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return _why(path, error)
    return ""


def _why(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    if not path.stat().st_size:
        return "is empty"
    return f"is cut off or no state ({' '.join(str(error).split())[:120]})"
