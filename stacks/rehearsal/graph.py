"""The graph of a rehearsal: read from its settings, refused in one sentence. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

KEYS = {"name", "content", "place", "needs", "keep"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One object that is to be, after those that it needs."""

    name: str
    content: str = ""
    place: str = ""
    needs: tuple[str, ...] = ()
    keep: bool = False


def graph_of(text: str) -> tuple[Wanted, ...]:
    """The objects of a JSON list; ValueError with one sentence for what is no graph.

    An object may need only those before it, so that there is no circle.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise ValueError(f"rehearsal:graph is not JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
        raise ValueError("rehearsal:graph: expected a list of objects with a name each")
    found: dict[str, Wanted] = {}
    for row in rows:
        if unknown := sorted(set(row) - KEYS):
            raise ValueError(f"rehearsal:graph: {row['name']}: no such key: {', '.join(unknown)}")
        one = Wanted(**{**row, "needs": tuple(row.get("needs", ()))})
        if missing := [name for name in one.needs if name not in found]:
            raise ValueError(
                f"rehearsal:graph: {one.name} needs {', '.join(missing)}, which is not before it"
            )
        if one.name in found:
            raise ValueError(f"rehearsal:graph: {one.name} is there twice")
        found[one.name] = one
    return tuple(found.values())
