"""Names of many hosts in few words, as `--limit` reads them back: `engine-[001-006,008]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"(.*?)(\d{1,9})(\D*)")
ORDER_MOST = 12
FOLD_MIN = 4  # names; fewer are shorter as they are
TEXT_MAX = 280  # characters, so that a thousand hosts leave room for what is said of them; --json has all


def fold(names: Sequence[str], *, most: int = TEXT_MAX) -> str:
    """NAMES by commas; those that differ in their last number alone are one word, as of clush and nodeset.

    What would be longer than MOST names the first of them, and says how many more there are.
    """
    text, count = _fold(names), len(names)
    while len(text) > most and count > 1:
        count = min(count - 1, count * most // len(text))
        text = _fold(names[:count])
    return text if count == len(names) else f"{text} and {len(names) - count} more"


def _fold(names: Sequence[str]) -> str:
    if len(names) < FOLD_MIN:
        return ", ".join(names)
    groups: dict[tuple[str, str, int], list[str]] = {}
    for name in names:
        found = _NUMBER.fullmatch(name)
        if found is None:
            groups.setdefault((name, "", -1), [])
            continue
        head, number, tail = found.groups()
        padded = len(number) if number.startswith("0") else 0
        if not padded and groups.get((head, tail, len(number))):
            padded = len(number)  # 08, 09, 10: what has no zero belongs to those that have one
        groups.setdefault((head, tail, padded), []).append(number)
    return ", ".join(_word(*key, numbers) for key, numbers in groups.items())


def _word(head: str, tail: str, width: int, numbers: Sequence[str]) -> str:
    if width < 0:
        return head
    if len(numbers) == 1:
        return f"{head}{numbers[0]}{tail}"
    return f"{head}[{','.join(_ranges(sorted(set(map(int, numbers))), width))}]{tail}"


def _ranges(numbers: Iterable[int], width: int) -> Iterable[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    for run in runs:
        first, last = f"{run[0]:0{width}}", f"{run[-1]:0{width}}"
        yield first if len(run) == 1 else f"{first}-{last}"


def fold_in_order(names: Sequence[str]) -> str:
    """The same for names in an order that matters: only neighbours become one word."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    if len(runs) > ORDER_MOST:
        return f"{', '.join(names[:ORDER_MOST])} and {len(names) - ORDER_MOST} more"
    return ", ".join(fold(run, most=TEXT_MAX // 2) for run in runs)


def _follows(before: str, name: str) -> bool:
    one, other = _NUMBER.fullmatch(before), _NUMBER.fullmatch(name)
    if one is None or other is None or (one[1], one[3]) != (other[1], other[3]):
        return False
    return int(other[2]) > int(one[2])
