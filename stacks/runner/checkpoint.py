"""The engine's state file, as far as the runner decides by it. Pure.

The format is Pulumi's `apitype.DeploymentV3`; what `pulumi stack export` prints, and `import` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CREATING = "creating"
STACK_TYPE = "pulumi:pulumi:Stack"
OWN = "pulumi:"  # types of the engine itself: the stack, its providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A resource that the state knows. A GOING one has been replaced and is still to be deleted."""

    urn: str
    type: str
    id: str
    protected: bool
    going: bool

    @property
    def is_real(self) -> bool:
        """Whether an object of the world belongs to it; the engine's own bookkeeping has ids, too."""
        return bool(self.id) and not self.type.startswith(OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An operation that had begun when the engine was killed."""

    urn: str
    type: str
    operation: str


def name_of(urn: str) -> str:
    """The resource's own name: what follows the last `::` of its URN."""
    return urn.rpartition("::")[2]


def known_in(deployment: Mapping[str, Any]) -> tuple[Known, ...]:
    """The resources with objects in the world, and components (without an id)."""
    rows = deployment.get("resources") or []
    return tuple(
        Known(
            urn=row["urn"],
            type=row["type"],
            id=row.get("id", ""),
            protected=bool(row.get("protect")),
            going=bool(row.get("delete")),
        )
        for row in rows
    )


def pending_in(deployment: Mapping[str, Any]) -> tuple[Pending, ...]:
    """The operations that were cut off."""
    rows = deployment.get("pending_operations") or []
    return tuple(
        Pending(urn=row["resource"]["urn"], type=row["resource"]["type"], operation=row["type"])
        for row in rows
    )


def protected_in(deployment: Mapping[str, Any]) -> tuple[str, ...]:
    """The URNs that must not be deleted."""
    return tuple(one.urn for one in known_in(deployment) if one.protected)


def outputs_in(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's outputs as they stand in the state, secrets still encrypted."""
    rows = deployment.get("resources") or []
    return next((dict(row.get("outputs") or {}) for row in rows if row["type"] == STACK_TYPE), {})
