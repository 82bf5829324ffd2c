"""YAML that people can read, from plain values: mappings, sequences, text, numbers, truth and nothing.

Every text is double-quoted as JSON has it, which YAML 1.2 reads the same way, so that no text is ever taken
for a number, a truth value or a tag; a key is a plain word or quoted too. One with quotes in it and nothing
else that is special becomes a literal block, since a rule full of \\" is read by nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = Mapping[str, "Value"] | Sequence["Value"] | str | int | float | bool | None
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TRUTHS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # to readers of YAML 1.1
_BLOCK = re.compile(r"[A-Za-z0-9(][ -~]*[!-~]\Z")


def document(value: Value, *, head: str) -> str:
    """The YAML document of VALUE below a comment."""
    return "\n".join([*(f"# {line}" for line in head.splitlines()), *_lines(value, "")]) + "\n"


def _lines(value: Value, indent: str) -> Iterator[str]:
    match value:
        case Mapping() if value:
            for key, inner in value.items():
                yield from _entry(f"{indent}{_key(key)}:", inner, indent)
        case Sequence() if value and not isinstance(value, str):
            for inner in value:
                lines = list(_lines(inner, f"{indent}  "))
                yield f"{indent}- {lines[0].lstrip()}"
                yield from lines[1:]
        case _:
            yield f"{indent}{_scalar(value)}"


def _entry(head: str, value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, str) and '"' in value and _BLOCK.match(value):
        yield f"{head} |-"
        yield f"{indent}  {value}"
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str) and value:
        yield head
        yield from _lines(value, f"{indent}  ")
    else:
        yield f"{head} {_scalar(value)}"


def _key(key: str) -> str:
    return key if _WORD.match(key) and key.lower() not in _TRUTHS else _quoted(key)


def _scalar(value: Value) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """As JSON has it, but for signs beyond 16 bits, which YAML names whole and JSON in two halves."""
    signs = (json.dumps(one)[1:-1] if ord(one) < 1 << 16 else f"\\U{ord(one):08x}" for one in text)
    return f'"{"".join(signs)}"'
