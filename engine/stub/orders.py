"""Orders and positions: what responses from the venue do to them."""

from __future__ import annotations

from engine.stub import wire
from engine.stub.mutants import broken
from engine.stub.risk import Wish


class Order:
    """One order of ours, from the moment it was decided."""

    __slots__ = ("answered", "cancels", "data", "epoch", "left", "urn", "wish")

    def __init__(self, urn: int, wish: Wish, epoch: int, data: bytes) -> None:
        self.urn, self.wish, self.epoch, self.data = urn, wish, epoch, data
        self.left = wish.quantity
        self.answered = False
        self.cancels = 0


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
    """Change orders and holdings; whether it was an execution."""
    order = orders.get(found.urn)
    if order is None:
        return False
    order.answered = True
    if found.type == "E":
        order.left -= found.quantity
        holdings.fill(order.wish, found.quantity, found.price_e4)
    elif found.type == "C" or (found.type == "J" and not broken("order.executions")):
        order.left = 0
    return found.type == "E"
