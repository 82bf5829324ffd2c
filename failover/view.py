"""One immutable look at gateways and engines: what every decision about trading is made from. Pure.

Null is "not known", never "no": a program that did not answer has a sentence in `silent` and nothing else is
believed about it. The look has a digest over what a plan is bound to, so that acting on an older look is
refused: the highest epoch, its holder, and the latch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EngineState = Literal[
    "INIT", "SYNCING", "STANDBY", "ACTIVE", "REDUCING", "HALTED", "DRAINING", "STOPPED", "UNKNOWN"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account's session at the venue, as a gateway counts it."""

    name: str
    is_up: bool
    open_orders: int
    last_urn: int  # highest user reference number
    positions: Mapping[str, int]  # shares by symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySeen:
    """A gateway, or why nothing is known about it."""

    name: str
    residue: int | None = None  # of the epochs that it issues; None where it has no peer
    silent: str = ""  # why there is no answer
    is_active: bool = False  # it may log in at the venue
    epoch: int = 0  # the highest that it has seen
    is_durable: bool = False
    holder: str = ""  # of that epoch, HOST/SLOT
    enforces: bool = True  # a drill build can be told not to
    latches: tuple[str, ...] = ()  # `scope id: reason` of each that is set
    latch_numbers: tuple[int, ...] = ()  # of the same, in their order
    holds: tuple[str, ...] = ()  # `pause for 1100 s more, by alice: reason` of each that holds
    armed: str = ""  # `eng-1/b after 500 ms of silence`: what it would do by itself, once
    held_off: str = ""  # code of why it did not, while the holder is silent
    accounts: tuple[Account, ...] = ()

    @property
    def has_session(self) -> bool:
        """Whether it holds the venue's session of every account."""
        return (
            not self.silent
            and self.is_active
            and bool(self.accounts)
            and all(one.is_up for one in self.accounts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSeen:
    """An engine, or why nothing is known about it."""

    holder: str  # HOST/SLOT
    silent: str = ""
    state: EngineState = "UNKNOWN"
    epoch: int = 0  # held now
    highest_epoch: int = 0  # ever seen
    is_latched: bool = False
    is_fresh: bool = False  # the feed is neither stale nor gapped
    artifact: str = ""
    config: str = ""
    limits: str = ""
    egress: str = "live"  # or test, without a production ticket; or shadow
    open_orders: int = 0
    positions: Mapping[str, int] | None = None
    undurable: int = 0  # records that the journal holds in memory only

    @property
    def trades(self) -> bool:
        """Whether it may send orders, as far as it says itself; a shadow decides, and sends none."""
        return self.state in ("ACTIVE", "REDUCING") and self.egress != "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """Everything that was seen in one look."""

    gateways: tuple[GatewaySeen, ...]
    engines: tuple[EngineSeen, ...]

    @property
    def epoch(self) -> int:
        """The highest epoch that anybody who answered has seen."""
        return max(
            (
                *(one.epoch for one in self.gateways),
                *(max(one.epoch, one.highest_epoch) for one in self.engines),
                0,
            )
        )

    @property
    def in_charge(self) -> GatewaySeen | None:
        """The gateway that holds the venue's sessions; None when none says so, or two do."""
        found = [one for one in self.gateways if one.has_session]
        return found[0] if len(found) == 1 else None

    @property
    def holder(self) -> str:
        """Who holds the highest epoch at the gateway in charge; empty when that is not known."""
        gateway = self.in_charge
        return gateway.holder if gateway is not None and gateway.epoch > 0 else ""

    def engine(self, holder: str) -> EngineSeen | None:
        """What was seen of the engine HOST/SLOT."""
        return next((one for one in self.engines if one.holder == holder), None)

    @property
    def dark(self) -> frozenset[str]:
        """Names of all that did not answer."""
        gateways = {one.name for one in self.gateways if one.silent}
        return frozenset(gateways | {one.holder for one in self.engines if one.silent})

    @property
    def digest(self) -> str:
        """SHA-256 over what a plan is bound to, 64 hexadecimal digits."""
        bound = {
            "epoch": self.epoch,
            "gateways": {
                one.name: [one.epoch, one.holder, one.has_session, sorted(one.latches)]
                for one in self.gateways
            },
            "engines": {one.holder: [one.trades, one.is_latched] for one in self.engines},
        }
        data = json.dumps(bound, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(data).hexdigest()
