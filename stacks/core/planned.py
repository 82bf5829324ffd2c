"""A resource as it is planned: its inputs by their wire names, some of them not known before it is made.

A rule never sees Pulumi. It gets this value, from a preview, from state or from a test, and asks for a
path. An input that depends on something that does not exist yet is UNKNOWN: neither right nor wrong, and
never absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


class _Unknown:
    """The one value of its kind."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how Pulumi writes an unknown in JSON (sdk: rpc.UNKNOWN)


class UndecidedError(Exception):
    """A rule asked for what is not known yet; the message is the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One resource: type token, name, inputs (camelCase), and the options that decide what happens to it."""

    type: str
    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    is_protected: bool = False

    def get(self, path: str, default: object = None) -> Any:
        """The input at `a.b`; DEFAULT where it is absent, UndecidedError where it is not known."""
        return value_at(self.inputs, path, default)

    def tag(self, key: str) -> object:
        """A tag; UndecidedError when the tags are not known."""
        tags = self.get("tags", {})
        return known(tags.get(key), f"tags.{key}") if isinstance(tags, Mapping) else None


def value_at(inputs: Mapping[str, Any], path: str, default: object = None) -> Any:
    """The value at a path of keys; a list of blocks with one element is entered."""
    here: Any = known(inputs, path)
    for step in path.split("."):
        if isinstance(here, Sequence) and not isinstance(here, str):
            here = known(here[0], path) if here else {}
        if not isinstance(here, Mapping) or step not in here:
            return default
        here = known(here[step], path)
    return default if here is None else here


def blocks(inputs: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The blocks of a list; UndecidedError where the list or one of them is not known."""
    for block in known(inputs.get(key) or [], key):
        yield known(block, key)


def known(value: Any, path: str) -> Any:
    """VALUE; UndecidedError when it is UNKNOWN."""
    if value is UNKNOWN or value == SENTINEL:
        raise UndecidedError(path)
    return value
