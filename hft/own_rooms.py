"""Our packages come from where `hft` came from, whatever else is called so on the path.

They have plain names, and a repository may have an `inventory/` or a `checks/` of its own and put itself on
the path (PYTHONPATH=., `python -m hft`). In the process of `hft` these names are ours; in everybody else's
(pytest, pyinfra) nothing is touched. Nothing is imported here that is not Python's own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ROOMS = frozenset(
    {"agent", "checks", "deploys", "drills", "engine", "failover", "hft", "inventory", "lab", "monitoring"}
    | {"release", "stacks", "transport", "tuning"}
)


class OwnRooms(MetaPathFinder):
    """Finds the rooms in one folder, and nothing else."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The room as it is in our folder; None for any other name, and where it is not there."""
        if path is not None or fullname not in ROOMS:
            return None
        return PathFinder.find_spec(fullname, [str(self.root)], target)


def come_first() -> None:
    """From now on our names are ours."""
    if not any(isinstance(finder, OwnRooms) for finder in sys.meta_path):
        sys.meta_path.insert(0, OwnRooms(Path(__file__).resolve().parents[1]))
