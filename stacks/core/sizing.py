"""What a standby mode keeps running, how fast it takes over, and what that costs. A table, and sums over it.

The times are estimates from how long the steps are known to take (a metal host boots in 10 to 20 minutes;
a reservation is what makes capacity certain), to be replaced by what a drill measures. Costs are shares of
the engine hosts' on-demand price: prices differ by account and date, so money comes from `hourlyPrice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.core.config import Mode, StandbyConfig

HOURS_PER_MONTH = 730.0
SINK_TYPE = "c7i.2xlarge"  # receives the journal where no engine host runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """What a mode keeps, whatever the numbers."""

    hosts: bool  # engine hosts run
    sink: bool  # a small host receives the journal
    access: bool  # interface endpoints for SSM
    engine: str  # what the engine does meanwhile
    rto_s: tuple[int, int]
    rto_reserved_s: tuple[int, int]
    compute_share: tuple[float, float]
    why: str


MODES: Mapping[Mode, Keeps] = {
    "hot_shadow": Keeps(
        hosts=True,
        sink=False,
        access=True,
        engine="consumes the replicated state, its orders fenced off",
        rto_s=(1, 10),
        rto_reserved_s=(1, 10),
        compute_share=(1.0, 1.0),
        why="a promotion is an epoch, not a start",
    ),
    "warm": Keeps(
        hosts=True,
        sink=False,
        access=True,
        engine="stopped on hosts that are tuned and proven",
        rto_s=(10, 60),
        rto_reserved_s=(10, 60),
        compute_share=(1.0, 1.0),
        why="the engine starts and reads the journal that is already there",
    ),
    "pilot": Keeps(
        hosts=False,
        sink=True,
        access=True,
        engine="absent; a small host receives the journal",
        rto_s=(900, 2400),
        rto_reserved_s=(600, 1500),
        compute_share=(0.05, 0.10),
        why="metal hosts are started, booted and tuned first; without a reservation there may be none",
    ),
    "cold": Keeps(
        hosts=False,
        sink=False,
        access=False,
        engine="absent; image and code are ready",
        rto_s=(1800, 3600),
        rto_reserved_s=(1800, 3600),
        compute_share=(0.0, 0.0),
        why="everything is made then, and the journal comes from the last copy",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """A mode with its numbers."""

    mode: Mode
    engine_hosts: int
    sink_hosts: int
    journals: int  # volumes
    reserved_hosts: int
    has_access: bool
    engine: str
    rto_s: tuple[int, int]
    compute_share: tuple[float, float]
    is_certain: bool  # whether capacity is there whatever others ask for
    why: str

    def monthly(self, hourly_price: float, engine_hosts: int) -> tuple[float, float]:
        """Least and most that compute costs a month, at that price of one of so many hosts."""
        full = hourly_price * engine_hosts * HOURS_PER_MONTH
        return self.compute_share[0] * full, self.compute_share[1] * full


def size(config: StandbyConfig) -> Sizing:
    """What this configuration keeps running; a reservation is billed like the hosts it is for."""
    keeps = MODES[config.mode]
    reserved = config.engine_hosts if config.reserve_capacity else 0
    share = (1.0, max(1.0, keeps.compute_share[1])) if reserved else keeps.compute_share
    return Sizing(
        mode=config.mode,
        engine_hosts=config.engine_hosts if keeps.hosts else 0,
        sink_hosts=int(keeps.sink),
        journals=config.engine_hosts if keeps.hosts else int(keeps.sink),
        reserved_hosts=reserved,
        has_access=keeps.access,
        engine=keeps.engine,
        rto_s=keeps.rto_reserved_s if reserved else keeps.rto_s,
        compute_share=share,
        is_certain=keeps.hosts or bool(reserved),
        why=keeps.why,
    )
