"""The words of a `--limit`: separated by commas that stand in no bracket, and those of a file for `@FILE`.

A file holds words separated by line ends, blanks or commas; `#` begins a comment. It may hold whatever a
limit may but another file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from inventory.bounded import read_bounded, reason_of
from inventory.errors import InventoryError

SIZE_MAX, RANGE_MAX = 4 << 20, 100_000
_COMMA = re.compile(r",(?![^\[]*\])")
_RANGES = re.compile(r"\[(\d{1,9}(?:-\d{1,9})?(?:,\d{1,9}(?:-\d{1,9})?)*)\]")


def words_of(limit: str) -> list[str]:
    """Every word of LIMIT with the files in it read; InventoryError for one that cannot be."""
    return [word for written in split(limit) for word in _read(written)]


def split(text: str) -> list[str]:
    """TEXT at its commas, without blanks and empty words; `e[1,3],x` is two words."""
    return [word for piece in _COMMA.split(text) if (word := piece.strip())]


def _read(word: str) -> list[str]:
    if not word.startswith("@"):
        return [word]
    path = Path(word.removeprefix("@")).expanduser()
    try:
        text = read_bounded(path, SIZE_MAX).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InventoryError(f"{word}: the list of hosts cannot be read: {reason_of(error)}") from error
    lines = (line.split("#")[0] for line in text.splitlines())
    words = [found for line in lines for piece in line.split() for found in split(piece)]
    if not words:
        raise InventoryError(f"{word}: names no host")
    if nested := [one for one in words if one.removeprefix("!").startswith("@")]:
        raise InventoryError(f"{word}: names another list, {nested[0]}; name both in --limit")
    return words


def patterns_of(term: str) -> Iterator[str]:
    """The patterns that a word with ranges of numbers stands for; a number keeps its zeros.

    `e[01-12,20]` is e01 to e12 and e20. `e[12]` is what it is in a shell, e1 or e2.
    """
    found = next((one for one in _RANGES.finditer(term) if "-" in one[1] or "," in one[1]), None)
    if found is None:
        yield term
        return
    numbers = itertools.chain.from_iterable(map(_numbers, found[1].split(",")))
    for number in numbers:
        yield from patterns_of(f"{term[: found.start()]}{number}{term[found.end() :]}")


def _numbers(text: str) -> Iterator[str]:
    first, _, last = text.partition("-")
    if int(last or first) - int(first) >= RANGE_MAX:
        raise InventoryError(f"[{text}]: more than {RANGE_MAX:,} numbers")
    width = len(first) if first.startswith("0") else 0
    return (f"{number:0{width}}" for number in range(int(first), int(last or first) + 1))
