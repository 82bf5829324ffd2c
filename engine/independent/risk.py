"""Pre-trade checks: pure predicates on the core's state, each with its refusal code of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from engine.independent.mutants import broken

if TYPE_CHECKING:
    from engine.independent.core import DecisionCore

SECOND_NS = 1_000_000_000
# After a standstill everything that waited is read within this time.
THAW_NS = 200_000_000


class Wish(NamedTuple):
    """A requested order."""

    side: str
    quantity: int
    symbol: str
    price_e4: int

    @property
    def sign(self) -> int:
        """+1 for a buy."""
        return 1 if self.side == "B" else -1


def refusal(core: DecisionCore, wish: Wish) -> str | None:
    """The code of the first check that refuses."""
    for code, says_no in CHECKS.items():
        if says_no(core, wish) and not broken(code):
            return code
    return None


def _symbol(core: DecisionCore, wish: Wish) -> bool:
    return wish.symbol not in core.limit["symbols"]


def _size(core: DecisionCore, wish: Wish) -> bool:
    return not 0 < wish.quantity <= core.limit["order_quantity_max"]


def _notional(core: DecisionCore, wish: Wish) -> bool:
    return bool(wish.quantity * wish.price_e4 > core.limit["order_notional_max_e4"])


def _gross(core: DecisionCore, wish: Wish) -> bool:
    working = sum(order.left * order.wish.price_e4 for order in core.open_orders())
    return bool(working + wish.quantity * wish.price_e4 > core.limit["gross_notional_max_e4"])


def _collar(core: DecisionCore, wish: Wish) -> bool:
    best = core.book.best(wish.symbol)
    if best is not None and broken("feed.collar"):
        best = core.first_touch.setdefault(wish.symbol, best)
    if best is None:
        return True
    bid, ask = best
    if wish.side == "B":
        return bool(wish.price_e4 > ask + ask * core.limit["collar_bps"] // 10_000)
    return bool(wish.price_e4 < bid - bid * core.limit["collar_bps"] // 10_000)


def _position(core: DecisionCore, wish: Wish) -> bool:
    same = [order.left for order in core.open_orders() if order.wish[::2] == wish[::2]]
    worst = core.positions.get(wish.symbol, 0) * wish.sign + sum(same) + wish.quantity
    return bool(worst > core.limit["position_max"])


def _rate(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001  # one signature for all checks
    return bool(core.messages_in(SECOND_NS) >= core.limit["messages_per_second_max"])


def _open_orders(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001
    return bool(len(core.open_orders()) >= core.limit["open_orders_max"])


def _duplicate(core: DecisionCore, wish: Wish) -> bool:
    window = core.limit["duplicate_window_ms"] * 1_000_000
    return bool(core.mono - core.last_sent.get(wish, -window) < window)


def _daily_loss(core: DecisionCore, wish: Wish) -> bool:
    return not core.brings_nearer(wish) and core.lost_too_much()


def _stale(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001
    return core.feed_stale()


def _gapped(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001
    return core.feed_gapped()


def _self_trade(core: DecisionCore, wish: Wish) -> bool:
    against = [
        o.wish for o in core.open_orders() if o.wish.symbol == wish.symbol and o.wish.side != wish.side
    ]
    return any((wish.price_e4 - other.price_e4) * wish.sign >= 0 for other in against)


def _repeated(core: DecisionCore, wish: Wish) -> bool:
    return not core.brings_nearer(wish) and core.executions >= core.limit["repeated_executions_max"]


def _aged(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001
    return core.thawed_ns >= 0 and core.mono - core.thawed_ns < THAW_NS


def _expired(core: DecisionCore, wish: Wish) -> bool:  # noqa: ARG001
    return core.utc >= core.not_after_utc_ns


CHECKS: dict[str, Callable[[DecisionCore, Wish], bool]] = {
    "risk.limits_expired": _expired, "risk.aged": _aged, "risk.stale_feed": _stale,
    "risk.gapped_feed": _gapped, "risk.symbol": _symbol,
    "risk.size": _size, "risk.notional": _notional, "risk.collar": _collar, "risk.self_trade": _self_trade,
    "risk.duplicate": _duplicate, "risk.daily_loss": _daily_loss, "risk.repeated": _repeated,
    "risk.position": _position, "risk.gross": _gross, "risk.open_orders": _open_orders, "risk.rate": _rate,
}  # fmt: skip
