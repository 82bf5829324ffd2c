"""Canonical bytes of a JSON value, and digests over them.

Programs in different languages must give a release the same digest, so the form is simple enough to need no
library: UTF-8, keys sorted by code point, no spaces, only the escapes that JSON requires, and no floating
point (the subject of most of RFC 8785). A value outside that form has no digest.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

INTEGER_MAX = 2**63 - 1
DEPTH_MAX = 32


def parse(data: str | bytes) -> object:
    """The value of a JSON text of the contract; ValueError when it is none, nests too deep, or names a key
    twice: of two readers one would take the first and the other the last (RFC 8259, section 4)."""
    try:
        found: object = json.loads(
            data, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH_MAX} levels") from None
    level = [found]
    for _ in range(DEPTH_MAX + 1):
        level = [child for one in level for child in _children(one)]
        if not level:
            return found
    raise ValueError(f"nested deeper than {DEPTH_MAX} levels")


def _children(value: object) -> list[object]:
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text[:40]} is no number that can be held")
    return found


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no JSON number")


def canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value; ValueError when it has none."""
    _refuse_other_forms(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(value: object) -> str:
    """`sha256:` and 64 hexadecimal digits over the canonical bytes."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def _refuse_other_forms(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > INTEGER_MAX:
                raise ValueError(f"{value} does not fit a signed 64-bit integer")
        case list():
            for item in value:
                _refuse_other_forms(item)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"key {key!r} is not a string")  # noqa: TRY004  # one error class
                _refuse_other_forms(item)
        case _:
            raise ValueError(f"{type(value).__name__} has no canonical form")
