"""Capability levels: what an engine declares it can do, and what the bundle may then rely on."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """Each level includes the ones before it."""

    CORE = "core"
    TRADING = "trading"
    REPLICATED = "replicated"

    @property
    def includes(self) -> tuple[Level, ...]:
        """This level and all below it."""
        order = tuple(Level)
        return order[: order.index(self) + 1]


MEANING: dict[Level, str] = {
    Level.CORE: "starts, answers, changes state, is killed, drained and watched; what every deploy needs",
    Level.TRADING: "claims an epoch at a gateway, trades through risk checks, journals, replays",
    Level.REPLICATED: (
        "follows a leader's sequenced input stream and can take over; the level is reserved: this version of "
        "the contract has no clause for it, so it cannot be judged, and host roles that need it are refused"
    ),
}
