"""A figure over several runs: median with its spread; what tells the operator how far it is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, least and most of at least one run."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median=statistics.median(values), least=min(values), most=max(values), runs=len(values))

    def millions(self) -> str:
        """`10.31 (9.80 to 10.52)`, in millions."""
        return f"{self.median / 1e6:.2f} ({self.least / 1e6:.2f} to {self.most / 1e6:.2f})"

    def plain(self) -> str:
        """`10.3 (9.8 to 10.5)`."""
        return f"{self.median:.1f} ({self.least:.1f} to {self.most:.1f})"

    def to_dict(self) -> dict[str, float | int]:
        return asdict(self)
