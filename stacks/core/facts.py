"""What is known of EC2's machines, with a date and a source: clock, threads, PHC, ENA Express, zones.

The facts are a file, not code, because they age: `instances.json` says when they were read and from where.
What the API does not tell is not in it. NUMA nodes are such a case: neither DescribeInstanceTypes nor its
pages name them for metal, so `numa_nodes` is None, and the planner reads them on the host at its first
boot (tuning/).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stacks.core.errors import CoreError

FILE = Path(__file__).with_name("instances.json")


class InstanceType(BaseModel):
    """One type of machine; units in the names, as in EC2's DescribeInstanceTypes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    metal: bool
    maker: str
    clock_ghz: float = Field(gt=0)  # sustained
    cores: int = Field(ge=1)
    threads_per_core: int = Field(ge=1, le=2)
    memory_mib: int = Field(ge=1)
    network_gbps: float = Field(gt=0)  # baseline, all cards together
    has_phc: bool  # a PTP hardware clock through ENA
    has_ena_express: bool
    placement: list[Literal["cluster", "partition", "spread"]]
    zones: Mapping[str, list[str]]  # region -> ids of its zones; their names differ by account
    numa_nodes: int | None = None  # not told by the API

    @property
    def memory_gib(self) -> int:
        """Memory in GiB."""
        return self.memory_mib // 1024


class Facts(BaseModel):
    """All types that a standby may be made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_: Literal[1] = Field(alias="schema")
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    source: str = Field(min_length=1)
    types: list[InstanceType] = Field(min_length=1)

    def named(self, name: str) -> InstanceType | None:
        """The type of that name, or None where nothing is known of it."""
        return next((one for one in self.types if one.name == name), None)

    @property
    def regions(self) -> list[str]:
        """Every region in which any of them is offered."""
        return sorted({region for one in self.types for region in one.zones})


def read_facts(path: Path = FILE) -> Facts:
    """The facts of a file; CoreError when it is not one."""
    try:
        return Facts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CoreError(f"{path}: no facts of instance types: {str(error).splitlines()[0]}") from error
