"""What becomes of a run that was cut off, decided from what the state says and what is really there. Pure.

Two kinds of object are there without being known: one that the engine was creating when it was killed (its
state has a pending operation with all of the resource in it), and one whose provider died before it could
answer (the engine calls that a failed creation and forgets it). The first is adopted when it is whole, so
that the next run finds it; the second, and whatever is half made, is deleted, so that the next run makes it
anew. Plain `pulumi cancel` and `up` does neither: it makes a second one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.errors import UnsettledError
from stacks.runner.checkpoint import CREATING, Pending, known_in, name_of, pending_in
from stacks.runner.world import Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What to adopt (URN -> id), what to delete, which operations to forget; and why, line by line."""

    adopt: Mapping[str, str]
    delete: tuple[str, ...]
    forget: tuple[str, ...]
    why: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was left open."""
        return not (self.adopt or self.delete or self.forget)


def settlement(
    deployment: Mapping[str, Any], there: Sequence[Real], types: frozenset[str] = frozenset()
) -> Settlement:
    """Settle the pending operations of a state against the objects that are THERE, which are those of TYPES.

    Raises UnsettledError for a creation of which nobody can tell here whether it happened, and for an unknown
    object that is to be kept.
    """
    known = known_in(deployment)
    ids, urns = {one.id for one in known if one.id}, {one.urn for one in known}
    unknown = [one for one in there if one.id not in ids]
    adopt: dict[str, str] = {}
    forget, why = [], []
    for operation in pending_in(deployment):
        forget.append(operation.urn)
        found = _made_for(operation, unknown, types)
        if len(found) == 1 and found[0].ready and operation.urn not in urns:
            adopt[operation.urn] = found[0].id
            why.append(f"{name_of(operation.urn)}: {found[0].id} was made and is whole: adopted")
        elif not found:
            why.append(f"{name_of(operation.urn)}: {operation.operation} was cut off: the world is asked")
    gone = [one for one in unknown if one.id not in adopt.values()]
    for one in gone:
        if one.kept:
            raise UnsettledError(
                f"{one.name}: {one.id} is there and no state knows it, but it is to be kept; "
                "hint: look at it, then import it or delete it by hand"
            )
        state = "no state knows it" if one.ready else "half made"
        why.append(f"{one.name}: {one.id} is there, {state}: deleted")
    return Settlement(adopt=adopt, delete=tuple(one.id for one in gone), forget=tuple(forget), why=tuple(why))


def _made_for(operation: Pending, unknown: Sequence[Real], types: frozenset[str]) -> list[Real]:
    if operation.operation != CREATING:
        return []
    if operation.type not in types:
        raise UnsettledError(
            f"{operation.urn}: its creation was cut off, and nobody here can tell whether it happened; "
            "hint: look for it, then `pulumi import` it, or delete it and "
            "`pulumi refresh --clear-pending-creates`"
        )
    return [one for one in unknown if one.name == name_of(operation.urn)]


def settled(deployment: Mapping[str, Any], decided: Settlement) -> dict[str, Any]:
    """The state after it: what was adopted stands at the end, where everything that it needs is before it."""
    adopted = [
        {**row["resource"], "id": decided.adopt[urn], "outputs": dict(row["resource"].get("inputs") or {})}
        for row in deployment.get("pending_operations") or []
        if (urn := row["resource"]["urn"]) in decided.adopt and row["type"] == CREATING
    ]
    left = {key: value for key, value in deployment.items() if key != "pending_operations"}
    return {**left, "resources": [*(deployment.get("resources") or []), *adopted]}
