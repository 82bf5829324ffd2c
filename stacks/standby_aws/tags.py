"""The tags on everything: whose it is, of which stack and generation, and what its data is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from stacks.core.config import StandbyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The four that a rule asks for, and more for one resource."""

    owner: str
    stack: str
    generation: int
    data_class: str

    @classmethod
    def of(cls, config: StandbyConfig) -> Self:
        """The tags of a configuration."""
        return cls(
            owner=config.owner,
            stack=f"{config.site}-standby",
            generation=config.generation,
            data_class=config.data_class,
        )

    def and_(self, **more: str) -> dict[str, str]:
        """All of them, and MORE as `hft:KEY`."""
        ours = {f"hft:{key}": value for key, value in more.items()}
        fixed = {"owner": self.owner, "stack": self.stack, "data-class": self.data_class}
        return {**fixed, "generation": str(self.generation), **ours}
