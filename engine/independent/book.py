"""The smallest book with a best bid and offer: ITCH 5.0 orders by reference, shares counted by price."""

from __future__ import annotations

import struct
from collections import Counter


class Book:
    """Orders of all symbols and the quantity at each price."""

    def __init__(self) -> None:
        self._orders: dict[int, tuple[str, str, int, int]] = {}  # reference: symbol, side, shares, price
        self._levels: dict[tuple[str, str], Counter[int]] = {}

    def apply(self, message: bytes) -> None:
        """Apply one ITCH message; messages that change no order are skipped."""
        kind, size = message[:1], len(message)
        if kind in (b"A", b"F") and size >= 36:
            reference, side, shares, stock, price = struct.unpack_from(">QcI8sI", message, 11)
            self._add(reference, stock.decode("latin-1").rstrip(), side.decode("latin-1"), shares, price)
        elif kind in (b"E", b"C", b"X") and size >= 23:
            reference, shares = struct.unpack_from(">QI", message, 11)
            self._reduce(reference, shares)
        elif kind == b"D" and size >= 19:
            self._reduce(int.from_bytes(message[11:19], "big"), 1 << 32)
        elif kind == b"U" and size >= 35:
            old, new, shares, price = struct.unpack_from(">QQII", message, 11)
            if old in self._orders:
                symbol, side, _, _ = self._orders[old]
                self._reduce(old, 1 << 32)
                self._add(new, symbol, side, shares, price)

    def _add(self, reference: int, symbol: str, side: str, shares: int, price: int) -> None:
        self._orders[reference] = (symbol, side, shares, price)
        self._levels.setdefault((symbol, side), Counter())[price] += shares

    def _reduce(self, reference: int, shares: int) -> None:
        if reference not in self._orders:
            return
        symbol, side, left, price = self._orders.pop(reference)
        taken, level = min(left, shares), self._levels[symbol, side]
        level[price] -= taken
        if not level[price]:
            del level[price]
        if left > taken:
            self._orders[reference] = (symbol, side, left - taken, price)

    def best(self, symbol: str) -> tuple[int, int] | None:
        """Best bid and best ask, when there are both."""
        bids, asks = self._levels.get((symbol, "B")), self._levels.get((symbol, "S"))
        return (max(bids), min(asks)) if bids and asks else None

    def facts(self) -> list[object]:
        """What the state digest covers."""
        return [[reference, *order] for reference, order in sorted(self._orders.items())]
