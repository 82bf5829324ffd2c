"""A world of objects that are files, with the habits of a cloud: it gives the ids, it takes time, it runs
full.

An object is `ID.json` in one folder. Its name is the caller's, its id is the world's (as an instance id is,
and two objects may have one name); it is there from the first moment on and ready only later; the folder may
hold no more objects than its file `capacity` says. Plain functions, no engine: what calls them is
`provider.py`.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path


class NoCapacityError(Exception):
    """The world is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object. OWNER is the stack that made it; until READY it is half made, half changed or half gone."""

    id: str
    name: str
    owner: str
    content: str
    place: str
    ready: bool


def all_of(folder: Path, owner: str | None = None) -> tuple[Item, ...]:
    """Every object, or those of one owner."""
    found = (read(folder, path.stem) for path in sorted(folder.glob("*.json")))
    return tuple(one for one in found if one is not None and owner in (None, one.owner))


def read(folder: Path, item: str) -> Item | None:
    """The object with an id; None when it is gone."""
    try:
        return Item(**json.loads((folder / f"{item}.json").read_text()))
    except FileNotFoundError:
        return None


def create(folder: Path, wanted: Mapping[str, str], *, owner: str, pause_s: float) -> Item:
    """Make a new object, whatever others of its name there are; NoCapacityError when the world is full."""
    folder.mkdir(parents=True, exist_ok=True)
    limit = folder / "capacity"
    if limit.exists() and len(all_of(folder)) >= int(limit.read_text()):
        raise NoCapacityError(f"{wanted['name']}: no capacity in {folder}")
    made = Item(
        id=f"{wanted['name']}-{secrets.token_hex(4)}",
        name=wanted["name"],
        owner=owner,
        content=wanted["content"],
        place=wanted["place"],
        ready=False,
    )
    return _settle(folder, made, pause_s)


def update(folder: Path, item: str, content: str, *, pause_s: float) -> Item:
    """Change the content of an object; KeyError when it is gone."""
    before = read(folder, item)
    if before is None:
        raise KeyError(item)
    return _settle(folder, replace(before, content=content, ready=False), pause_s)


def delete(folder: Path, item: str, *, pause_s: float = 0.0) -> None:
    """Remove an object; one that is gone already is no error, because a delete may be told twice."""
    before = read(folder, item)
    if before is None:
        return
    _write(folder, replace(before, ready=False))
    time.sleep(pause_s)
    (folder / f"{item}.json").unlink(missing_ok=True)


def _settle(folder: Path, item: Item, pause_s: float) -> Item:
    _write(folder, item)
    time.sleep(pause_s)
    done = replace(item, ready=True)
    _write(folder, done)
    return done


def _write(folder: Path, item: Item) -> None:
    aside = folder / f".{item.id}.new"
    aside.write_text(json.dumps(asdict(item)))
    aside.replace(folder / f"{item.id}.json")
