"""Our L3 book beside PyPI `meatpy`: full depth with order priority after every message, and the digest anew.

meatpy rebuilds a book from the same bytes with its own decoder. Each point compares every level of the symbol
that was touched: price, and each order's reference and shares in time priority. At the end the digest is
computed from meatpy's lists alone, by the formula that engine/native/book/book.h documents.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from meatpy.itch50 import ITCH50MarketProcessor
from meatpy.itch50.itch50_market_message import ITCH50MarketMessage
from meatpy.lob import LimitOrderBook

from tests.integration.engine.wire.streams import messages_of
from tests.support.engine.book_digest import MASK, Side, digest_of

pytestmark = pytest.mark.long

Itch = Callable[..., list[dict[str, Any]]]
ORDER_TYPES = b"AFECXDU"


@pytest.fixture(autouse=True)
def executions_may_skip_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """meatpy reports executions out of priority as errors of the data; here only the book counts."""
    monkeypatch.setattr(LimitOrderBook, "skip_exception", lambda *_: True)


class MeatpyBooks:
    """One meatpy processor for each stock locate, fed with the messages of that locate."""

    def __init__(self) -> None:
        self.books: dict[int, ITCH50MarketProcessor] = {}

    def apply(self, message: bytes) -> None:
        locate = int.from_bytes(message[1:3], "big")
        if message[:1] in (b"A", b"F") and locate not in self.books:
            day = datetime.datetime(2019, 12, 30)
            self.books[locate] = ITCH50MarketProcessor(message[24:32], day)
        if message[0] in ORDER_TYPES and locate in self.books:
            self.books[locate].process_message(ITCH50MarketMessage.from_bytes(message))

    def depth(self, locate: int) -> tuple[Side, Side]:
        lob = self.books[locate].current_lob
        assert lob is not None
        return side_of(lob.bid_levels), side_of(lob.ask_levels)

    def digest(self) -> int:
        total = 0
        for locate, book in self.books.items():
            if book.current_lob is not None:
                for side, levels in enumerate(self.depth(locate)):
                    total += sum(digest_of(levels, locate, side))
        return total & MASK


def side_of(levels: Iterable[Any]) -> Side:
    return [[level.price, [[order.order_id, order.volume] for order in level.queue]] for level in levels]


def assert_books_equal(lines: list[dict[str, Any]], messages: list[bytes], points_min: int) -> None:
    theirs = MeatpyBooks()
    *points, summary = lines
    ours = {point["index"]: point for point in points}
    for index, message in enumerate(messages):
        theirs.apply(message)
        point = ours.get(index)
        if point is not None:
            assert (point["bids"], point["asks"]) == theirs.depth(point["locate"]), f"message {index}"
    assert len(points) >= points_min
    assert summary["messages"] == len(messages)
    assert summary["digest"] == theirs.digest() == summary["recomputed"]


def test_real_open_builds_the_same_books_after_every_message(itch: Itch, real_open: Path) -> None:
    assert_books_equal(itch("book", real_open), list(messages_of(real_open)), points_min=500)


def test_invented_day_builds_the_same_books_at_a_thousand_points(itch: Itch, invented_day: Path) -> None:
    lines = itch("book", invented_day, "--by-type", "--every", 5)
    assert_books_equal(lines, list(messages_of(invented_day, by_type=True)), points_min=1000)


@pytest.mark.parametrize("mix", ["recent-delete", "uniform"])
def test_generated_streams_build_the_same_books_after_every_message(
    mix: str, itch: Itch, tmp_path: Path
) -> None:
    path = tmp_path / "made.itch50"
    options = ("--messages", 6000, "--symbols", 6, "--live", 400, "--mix", mix, "--seed", 77)
    (slow_book,) = itch("generate", path, *options)
    lines = itch("book", path)
    assert_books_equal(lines, list(messages_of(path)), points_min=5000)
    assert lines[-1]["digest"] == slow_book["digest"]


def test_a_wrong_book_is_noticed(itch: Itch, tmp_path: Path) -> None:
    """The comparison itself: one order moved back in its queue must not pass."""
    path = tmp_path / "made.itch50"
    itch("generate", path, "--messages", 400, "--symbols", 1, "--live", 300)
    lines = itch("book", path)
    deep = next(p for p in reversed(lines[:-1]) if any(len(orders) > 1 for _, orders in p["bids"]))
    next(orders for _, orders in deep["bids"] if len(orders) > 1).reverse()
    with pytest.raises(AssertionError, match="message"):
        assert_books_equal(lines, list(messages_of(path)), points_min=1)
