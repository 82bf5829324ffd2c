"""The digest of a book by the formula that engine/native/book/book.h documents, sharing no code with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Side = list[list[Any]]


MASK = (1 << 64) - 1
MIX_A, MIX_B, MIX_C = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7


def digest_of(levels: Side, locate: int, side: int) -> Iterable[int]:
    for price, orders in levels:
        ahead = 0
        for reference, shares in orders:
            chained = mix64(reference ^ MIX_A, ahead ^ MIX_B)
            yield mix64(chained ^ (price << 32 | shares), (locate << 1 | side) ^ MIX_C)
            ahead = reference


def mix64(a: int, b: int) -> int:
    product = a * b
    return (product >> 64) ^ (product & MASK)
