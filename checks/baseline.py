"""Budgets: what checks/baseline.toml allows a host class, scaled to the measured window."""

from __future__ import annotations

import importlib.resources
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from checks.errors import CheckError


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The budgets of one host class."""

    host_class: str
    per_s: float
    entries: Mapping[str, Mapping[str, Any]]

    def most(self, name: str, window_s: float) -> int:
        """The highest count allowed in this window: the budget in proportion, at least one."""
        most = float(self.entries[name]["max"])
        return max(math.floor(most * window_s / self.per_s + 0.5), min(1, math.ceil(most)))

    def least(self, name: str, window_s: float) -> int:
        """The lowest count required in this window."""
        return math.floor(float(self.entries[name]["min"]) * window_s / self.per_s)

    def limit(self, name: str) -> float | None:
        """A budget that does not scale with the window; None when this class has none."""
        entry = self.entries.get(name)
        return None if entry is None else float(entry["max" if "max" in entry else "min"])

    def any_of(self, name: str) -> tuple[str, ...]:
        """The accepted values; empty when this class has no such entry."""
        return tuple(self.entries.get(name, {}).get("any_of", ()))


@cache
def _document() -> Mapping[str, Any]:
    return tomllib.loads(importlib.resources.files("checks").joinpath("baseline.toml").read_text())


def baseline_of(host_class: str) -> Baseline:
    """The budgets of a host class: its own entries override the defaults."""
    document = _document()
    merged = {**document["default"], **document.get(host_class, {})}
    per_s = merged.pop("per_s")
    bare = [name for name, entry in merged.items() if not entry.get("unit") or not entry.get("source")]
    if bare:
        raise CheckError(f"baseline.toml: no unit or source for {', '.join(bare)}")
    return Baseline(host_class=host_class, per_s=per_s, entries=merged)
