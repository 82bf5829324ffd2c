"""The last line of a shared run record that this account wrote, kept where no colleague can write.

A hash chain says that a record follows from its first line; it does not say whose. A colleague who may write
the file may write another chain, or cut its end off. What this account wrote it can remember for itself, and
look for at every reading. Only for a record in a directory that others may write: one's own needs no witness.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transport.places import state_home
from tuning.strict_json import ShapeError, Table, parse

_OTHERS = 0o022
_SIZE_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A line by its hash, and when it was written."""

    hash: str
    at: str


def remember(path: Path, line: Mapping[str, Any]) -> None:
    """Keep LINE of the record at PATH; without a place to keep it the record has one witness less."""
    with suppress(OSError):
        if not path.parent.stat().st_mode & _OTHERS:
            return
        place = _place(path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        aside.write_text(json.dumps({"hash": line["hash"], "at": line["at"]}), encoding="ascii")
        aside.replace(place)


def remembered(path: Path) -> Head | None:
    """What this account remembers of the record at PATH."""
    place = _place(path)
    try:
        if place.stat().st_uid != os.getuid():
            return None
        with place.open("rb") as stream:
            found = Table.of(parse(stream.read(_SIZE_MAX)))
        return Head(hash=found.text("hash", size_max=64), at=found.text("at", size_max=64))
    except (OSError, ShapeError):
        return None


def _place(path: Path) -> Path:
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return state_home() / "hft" / "heads" / name
