"""Orders and positions, and how responses from the venue change them."""

from __future__ import annotations

from engine.independent import wire
from engine.independent.mutants import broken
from engine.independent.risk import Wish


class Order:
    """One order of this engine, from the moment it was decided."""

    __slots__ = ("answered", "cancels", "data", "epoch", "left", "mono", "urn", "wish")

    def __init__(self, urn: int, wish: Wish, epoch: int, data: bytes) -> None:
        self.urn, self.wish, self.epoch, self.data = urn, wish, epoch, data
        self.left = wish.quantity
        self.answered = False
        self.cancels = self.mono = 0


class Holdings:
    """Positions at average cost, and the loss realised so far."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self._cost_e4: dict[str, int] = {}
        self.realised_e4 = 0

    def fill(self, wish: Wish, quantity: int, price_e4: int) -> None:
        """Book one execution."""
        held, cost = self.positions.get(wish.symbol, 0), self._cost_e4.get(wish.symbol, 0)
        closing = min(quantity, abs(held)) if held * wish.sign < 0 else 0
        if closing:
            released = cost * closing // abs(held)
            self.realised_e4 += -wish.sign * closing * price_e4 - released
            cost -= released
        cost += wish.sign * (quantity - closing) * price_e4
        self.positions[wish.symbol] = held + wish.sign * quantity
        self._cost_e4[wish.symbol] = cost


def apply_response(orders: dict[int, Order], holdings: Holdings, found: wire.Response) -> bool:
    """Update orders and holdings; False when a position is not what is told here any more."""
    if found.type == "A" and found.urn not in orders:
        orders[found.urn] = _foreign(found)
    if found.type == "U" and not broken("order.events"):
        if found.original in orders:
            orders[found.original].left = 0
        orders[found.urn] = _foreign(found)
    order = orders.get(found.urn)
    if order is None:
        return found.type not in ("E", "B")
    order.answered = True
    match found.type:
        case "E":
            order.left -= found.quantity
            holdings.fill(order.wish, found.quantity, found.price_e4)
        case "C" | "D":
            order.left = 0 if broken("order.events") else max(0, order.left - found.quantity)
        case "M":
            order.left = min(order.left, found.quantity)
        case "J" if not broken("order.executions"):
            order.left = 0
        case "A" | "U" if not found.live:
            order.left = 0
        case "B":
            return False
        case _:
            pass
    return True


def _foreign(found: wire.Response) -> Order:
    """An order of this account that this process has not sent."""
    return Order(found.urn, Wish(found.side, found.quantity, found.symbol, found.price_e4), 0, b"")
