"""The limits file: signed, with a rising serial and an expiry; loaded at start and on SIGHUP.

The file holds canonical bytes (engine/contract/canonical.py), so its digest is the SHA-256 of the file
itself. Signature: `LIMITS_FILE.sig`, written by `ssh-keygen -Y sign -n hft-limits`, identity `limits` in the
allowed signers file. One file serves engine and gateway; each reads its own part. An older serial is refused
even if its limits are tighter, since a signed file can be presented again and the next one may be looser; the
same serial with different bytes is refused too. Prices and money are integers in 1/10,000 of the currency
unit (`_e4`), as on the wire.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from engine.contract.config import Symbol
from engine.contract.versioning import Document, Part

SIGNATURE_NAMESPACE = "hft-limits"
SIGNATURE_IDENTITY = "limits"

MESSAGES_PER_SECOND_MAX: Final = 1_000_000
ORDERS_IN_WINDOW_MAX: Final = 1 << 20  # an engine remembers each of them


class EngineLimits(Part):
    """The limits of one engine; a value at the limit passes, one more is refused."""

    symbols: list[Symbol] = Field(min_length=1, description="allow-list")
    order_quantity_max: int = Field(ge=1)
    order_notional_max_e4: int = Field(ge=1, description="quantity times price of one order")
    gross_notional_max_e4: int = Field(
        ge=1, description="open quantity times price over all working orders, the new one included"
    )
    collar_bps: int = Field(
        ge=0,
        description="a buy at most best ask plus this share of it, a sell at least best bid minus it; "
        "rounded inwards",
    )
    position_max: int = Field(ge=0, description="absolute, per symbol, working orders counted at worst case")
    messages_per_second_max: int = Field(
        ge=1,
        le=MESSAGES_PER_SECOND_MAX,
        description="messages in any second; cancels count, but are never refused by it",
    )
    open_orders_max: int = Field(ge=1)
    duplicate_window_ms: int = Field(
        ge=0,
        description="same side, quantity, symbol and price within it; 0: off. messages_per_second_max times "
        "the seconds that it touches (its whole seconds and one) is at most 2^20: all are remembered",
    )
    daily_loss_max_e4: int = Field(ge=0, description="realised loss since the trading day began")
    repeated_executions_max: int = Field(
        ge=1, description="executions before an operator must `resume` (RTS 6 article 15(3))"
    )

    @model_validator(mode="after")
    def _window_is_remembered(self) -> Self:
        orders = self.messages_per_second_max * (self.duplicate_window_ms // 1000 + 1)
        if self.duplicate_window_ms and orders > ORDERS_IN_WINDOW_MAX:
            raise ValueError(
                f"duplicate_window_ms: at messages_per_second_max {orders:,} orders leave within it, and "
                f"{ORDERS_IN_WINDOW_MAX:,} are remembered at most"
            )
        return self


Letter = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]$")]
SharesOfAccounts = dict[str, dict[Symbol, int]]


class Tick(Part):
    """The tick from a price on."""

    from_price_e4: int = Field(ge=0)
    tick_e4: int = Field(ge=1)


class GatewayLimits(Part):
    """The limits of one gateway, outside the engine's code; each key names the code that its refusals carry.

    A key that is absent has the value named below; one that is not here refuses the file. Whatever it says, a
    side is B, S, T or E (`field.side`), the intermarket sweep Y or N (`field.sweep`), the quantity of 1 to
    999,999 shares (`field.quantity`), the price above zero and at most 199,999.99 (`field.price`).
    """

    model_config = ConfigDict(extra="forbid")

    orders_per_s_max: int = Field(ge=0, le=1_000_000, description="`limit.orders_per_s`; 0: no order")
    order_quantity_max_shares: int = Field(ge=0, le=2**32 - 1, description="`limit.quantity`")
    order_notional_max_e4: int = Field(ge=0, description="`limit.notional`")
    symbols: list[Symbol] = Field(description="`limit.symbol`")
    times_in_force: list[Letter] = Field(
        default=["0", "3"],
        min_length=1,
        description="`field.time_in_force`; absent: 0 (day) and 3 (immediate or cancel)",
    )
    displays: list[Letter] = Field(
        default=["Y", "N", "A"], min_length=1, description="`field.display`; absent: Y, N, A"
    )
    capacities: list[Letter] = Field(
        default=["A", "P", "R", "O"], min_length=1, description="`field.capacity`; absent: A, P, R, O"
    )
    cross_types: list[Letter] = Field(
        default=["N"], min_length=1, description="`field.cross_type`; absent: N (continuous)"
    )
    ticks: list[Tick] = Field(
        default=[Tick(from_price_e4=0, tick_e4=1), Tick(from_price_e4=10_000, tick_e4=100)],
        min_length=1,
        description="`tick`: a price is a multiple of the last one that begins at or below it; absent: those "
        "of 17 CFR 242.612, a cent from 1.00 on and a hundredth of it below",
    )
    halted: list[Symbol] = Field(
        default=[], description="`halted`: no order, no replace; cancels pass; absent: none"
    )
    positions_at_open: SharesOfAccounts = Field(
        default={},
        description="`short.mark`: by account and symbol, before the day's first execution; a sale beyond "
        "what is held and not being sold must be marked T or E (17 CFR 242.200(g)); absent: nothing",
    )
    locates: SharesOfAccounts = Field(
        default={},
        description="`short.locate`: by account and symbol, so much may be sold short today "
        "(17 CFR 242.203(b)); absent: nothing",
    )


class Limits(Document):
    """The signed file."""

    serial: int = Field(ge=1, description="rises with every file")
    not_after_utc_ns: int = Field(
        ge=0, description="expired refuses loading, and orders afterwards, never cancels"
    )
    engine: EngineLimits
    gateway: dict[str, Any] = Field(
        default_factory=dict, description="the gateway's part; an engine ignores it"
    )
