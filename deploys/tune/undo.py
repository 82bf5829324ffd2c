"""What is decided before a host undoes something: whose it is, and what runs there now."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.model import Host, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What is to be undone on one host; the engine units that run now, to be stopped first."""

    host: Host
    trial: Trial
    running: frozenset[str] = frozenset()
