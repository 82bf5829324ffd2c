"""The limits file: signed, with a rising serial and an expiry; loaded at start and on SIGHUP.

The file holds canonical bytes (engine/contract/canonical.py), so its digest is the SHA-256 of the file
itself. Signature: `LIMITS_FILE.sig`, written by `ssh-keygen -Y sign -n hft-limits`, identity `limits` in the
allowed signers file. One file serves engine and gateway; each reads its own part. An older serial is refused
even if its limits are tighter, since a signed file can be presented again and the next one may be looser; the
same serial with different bytes is refused too. Prices and money are integers in 1/10,000 of the currency
unit (`_e4`), as on the wire.
"""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import Field, model_validator

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
