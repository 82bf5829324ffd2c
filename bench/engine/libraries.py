"""The outside libraries on the same file: PyPI itchfeed decodes, PyPI meatpy keeps books.

Both are pure Python; the ratio says how far a library that people start with is from what the feed asks
for, not that anybody did poorly. The fill of the book is never timed, neither here nor in our own run.
meatpy keeps one book for each symbol and must end with as many live orders as ours.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.engine.figures import Spread
from bench.engine.sizes import BookSize
from bench.errors import BenchError, UnableError

ADDS = b"AF"
ORDER_TYPES = b"AFECXDU"


def version_of(name: str) -> str:
    """The installed version; UnableError when it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise UnableError(f"{name} is not installed; make setup brings it") from None


def messages_of(path: Path) -> list[bytes]:
    """Messages of a file with two-byte lengths, as Nasdaq's files are."""
    return list(_messages(path.read_bytes()))


def _messages(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def itchfeed_rate(path: Path, size: BookSize) -> Spread:
    """Messages a second through itchfeed's decoder, one object for each."""
    kinds = importlib.import_module("itch.messages").messages
    timed = messages_of(path)[size.live :]

    def decode() -> None:
        for message in timed:
            kinds[message[:1]](message)

    return _rate(decode, len(timed), size.runs)


def meatpy_rate(path: Path, size: BookSize, *, live_at_end: int) -> Spread:
    """Messages a second into meatpy's books, decoded beforehand; the fill is not timed."""
    read = importlib.import_module("meatpy.itch50.itch50_market_message").ITCH50MarketMessage.from_bytes
    books = importlib.import_module("meatpy.lob").LimitOrderBook
    # Executions out of price-time priority are errors of the data to meatpy; here only the work counts.
    usual = books.skip_exception
    books.skip_exception = lambda *_: True
    try:
        raw = messages_of(path)
        decoded = [
            (int.from_bytes(message[1:3], "big"), message, read(message))
            for message in raw
            if message[0] in ORDER_TYPES
        ]
        seconds = [_build(decoded, size, live_at_end) for _ in range(size.runs)]
    finally:
        books.skip_exception = usual
    return Spread.of([(len(raw) - size.live) / second for second in seconds])


def _build(decoded: list[tuple[int, bytes, Any]], size: BookSize, live_at_end: int) -> float:
    processor = importlib.import_module("meatpy.itch50").ITCH50MarketProcessor
    books: dict[int, Any] = {}
    day = datetime.datetime(2019, 12, 30)  # meatpy adds times of day to a naive date

    def apply(part: list[tuple[int, bytes, Any]]) -> None:
        for locate, message, read in part:
            if locate not in books and message[0] in ADDS:
                books[locate] = processor(message[24:32], day)
            if locate in books:
                books[locate].process_message(read)

    apply(decoded[: size.live])  # the fill: orders added, nothing else
    began = time.perf_counter()
    apply(decoded[size.live :])
    seconds = time.perf_counter() - began
    if (live := sum(_live(book) for book in books.values())) != live_at_end:
        raise BenchError(f"meatpy ends with {live:,} live orders, our books with {live_at_end:,}")
    return seconds


def _live(processor: Any) -> int:
    lob = processor.current_lob
    sides = () if lob is None else (lob.bid_levels, lob.ask_levels)
    return sum(len(level.queue) for side in sides for level in side)


def _rate(work: Callable[[], None], count: int, runs: int) -> Spread:
    rates = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - began))
    return Spread.of(rates)
