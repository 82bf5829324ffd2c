"""Canonical bytes of a JSON value, and digests over them.

Two programs in two languages must name the same release, so the form is narrow enough to need no library:
UTF-8, keys sorted by code point, no spaces, no escapes but those JSON demands, and no floating point at all
(RFC 8785 spends most of its length on floats). A value outside of that form has no digest.
"""

from __future__ import annotations

import hashlib
import json
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

INTEGER_MAX = 2**63 - 1


def canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value; ValueError where it has none."""
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
