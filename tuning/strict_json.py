"""JSON from elsewhere, read strictly: bounded before it is kept, every key once, every field by its type.

A host, a colleague or a file may hold anything. `parse` bounds the bytes and the depth, so that nothing
later recurses into what was sent; it refuses a key that stands twice, since one reader takes the first and
another the last (RFC 8259, section 4), and the numbers that JSON does not have. `Table` reads an object field
by field. Whatever does not fit is one ShapeError with the field's name, and never another exception.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

SIZE_MAX = 16 * 1024 * 1024
DEPTH_MAX = 64
TEXT_MAX = 4096
KEYS_MAX = 16_384
KEY_MAX = 256
INTEGER_MAX = 2**63 - 1


class ShapeError(ValueError):
    """What does not fit, in words that hold nothing of the document but the names of our own fields."""


class NotJsonError(ShapeError):
    """What is no JSON at all; `line` is where, None when that is not known."""

    def __init__(self, fault: str, line: int | None = None) -> None:
        super().__init__(f"not JSON: {fault}" if line is None else f"not JSON: line {line}: {fault}")
        self.fault, self.line = fault, line


def parse(data: str | bytes, *, size_max: int = SIZE_MAX, depth_max: int = DEPTH_MAX) -> object:
    """The value of a JSON text; ShapeError for what is too large, too deep, ambiguous or no JSON."""
    if len(data) > size_max:
        raise ShapeError(f"longer than {size_max} bytes")
    try:
        found: object = json.loads(
            data, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise NotJsonError(error.msg, error.lineno) from None
    except ShapeError:
        raise
    except RecursionError:
        raise ShapeError(f"nested deeper than {depth_max} levels") from None
    except ValueError as error:
        raise NotJsonError(str(error)[:120]) from None
    return bounded(found, depth_max=depth_max)


def bounded(value: object, *, depth_max: int = DEPTH_MAX, values_max: int | None = None) -> object:
    """VALUE, when it nests no deeper and holds no more values; asked level by level, without recursion.

    With VALUES_MAX no object may have more than KEYS_MAX keys and no key be longer than KEY_MAX: what a
    sentence about a fault costs grows with both.
    """
    level, seen = [value], 0
    for _ in range(depth_max + 1):
        if values_max is not None:
            _check_keys(level)
        level = [child for one in level for child in _children(one)]
        seen += len(level)
        if values_max is not None and seen > values_max:
            raise ShapeError(f"more than {values_max} values")
        if not level:
            return value
    raise ShapeError(f"nested deeper than {depth_max} levels")


def _check_keys(level: Iterable[object]) -> None:
    for one in level:
        if isinstance(one, dict) and len(one) > KEYS_MAX:
            raise ShapeError(f"an object with more than {KEYS_MAX} keys")
        if isinstance(one, dict) and any(len(key) > KEY_MAX for key in one):
            raise ShapeError(f"a key longer than {KEY_MAX} characters")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ShapeError("a key stands twice in an object")
    return found


def _no_number(_: str) -> NoReturn:
    raise NotJsonError("NaN and Infinity are no numbers")


def _finite(text: str) -> float:
    """A number with a point or an exponent; one that no double holds would be read as Infinity."""
    found = float(text)
    if not math.isfinite(found):
        raise NotJsonError(f"{text[:40]} is no number that can be held")
    return found


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Table:
    """An object and where it stands; each reading names the field that does not fit."""

    where: str
    fields: Mapping[str, object]

    @classmethod
    def of(cls, value: object, where: str = "") -> Table:
        """VALUE as an object."""
        if not isinstance(value, dict):
            raise ShapeError(f"{where or 'the document'}: expected an object, got {_kind(value)}")
        return cls(where, value)

    def closed(self, known: Iterable[str]) -> Table:
        """The same, when every key is one of these."""
        unknown = len(self.fields.keys() - set(known))
        if unknown:
            raise ShapeError(f"{self.where or 'the document'}: {unknown} unknown key(s)")
        return self

    def text(self, key: str, *, size_max: int = TEXT_MAX) -> str:
        """A text."""
        found = self._value(key)
        if not isinstance(found, str):
            self._wrong(key, "text", found)
        if len(found) > size_max:
            raise ShapeError(f"{self._at(key)}: longer than {size_max} characters")
        return found

    def text_or_none(self, key: str, *, size_max: int = TEXT_MAX) -> str | None:
        """A text, or null; an absent key is null."""
        return None if self.fields.get(key) is None else self.text(key, size_max=size_max)

    def integer(self, key: str, *, least: int = 0, most: int = INTEGER_MAX) -> int:
        """A whole number within bounds; true and false are none."""
        found = self._value(key)
        if not isinstance(found, int) or isinstance(found, bool):
            self._wrong(key, "a whole number", found)
        if not least <= found <= most:
            raise ShapeError(f"{self._at(key)}: expected {least} to {most}")
        return found

    def flag(self, key: str) -> bool:
        """True or false."""
        found = self._value(key)
        if not isinstance(found, bool):
            self._wrong(key, "true or false", found)
        return found

    def table(self, key: str) -> Table:
        """An object."""
        return Table.of(self._value(key), self._at(key))

    def table_or_none(self, key: str) -> Table | None:
        """An object, or null; an absent key is null."""
        return None if self.fields.get(key) is None else self.table(key)

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The objects of an object, by name."""
        inside = self.table(key)
        return ((name, inside.table(name)) for name in inside.fields)

    def rows(self, key: str) -> Iterator[Table]:
        """The objects of a list."""
        return (Table.of(one, f"{self._at(key)}[{at}]") for at, one in enumerate(self._list(key)))

    def texts(self, key: str, *, size_max: int = TEXT_MAX) -> tuple[str, ...]:
        """A list of texts."""
        found = self._list(key)
        return tuple(
            Table(self._at(key), {str(at): one}).text(str(at), size_max=size_max)
            for at, one in enumerate(found)
        )

    def integers(self, key: str, *, least: int = 0, most: int = INTEGER_MAX) -> tuple[int, ...]:
        """A list of whole numbers within bounds."""
        found = self._list(key)
        return tuple(
            Table(self._at(key), {str(at): one}).integer(str(at), least=least, most=most)
            for at, one in enumerate(found)
        )

    def text_map(self, key: str, *, size_max: int = TEXT_MAX) -> dict[str, str]:
        """An object whose values are texts."""
        inside = self.table(key)
        return {name: inside.text(name, size_max=size_max) for name in inside.fields}

    def text_or_none_map(self, key: str, *, size_max: int = TEXT_MAX) -> dict[str, str | None]:
        """An object whose values are texts or null."""
        inside = self.table(key)
        return {name: inside.text_or_none(name, size_max=size_max) for name in inside.fields}

    def _list(self, key: str) -> list[object]:
        found = self._value(key)
        if not isinstance(found, list):
            self._wrong(key, "a list", found)
        return found

    def _value(self, key: str) -> object:
        if key not in self.fields:
            raise ShapeError(f"{self._at(key)}: missing")
        return self.fields[key]

    def _at(self, key: str) -> str:
        name = key if key.isascii() and key.isprintable() and len(key) <= 80 else "a key"
        return f"{self.where}.{name}" if self.where else name

    def _wrong(self, key: str, expected: str, found: object) -> NoReturn:
        raise ShapeError(f"{self._at(key)}: expected {expected}, got {_kind(found)}")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
