"""The line of a key in a file: a small scan, because neither tomllib nor json keep line numbers.

It is a convenience, not a parser: it answers only when it is certain, and None is a valid answer.
"""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\"'-]+)\s*\]")


def line_of(text: str, location: tuple[str | int, ...], *, toml: bool) -> int | None:
    """The line of a location such as ("hosts", 1, "ssh_port"), or None when it is not certain."""
    return _toml_line(text, location) if toml else _json_line(text, location)


def _toml_line(text: str, location: tuple[str | int, ...]) -> int | None:
    """Follows table headers; an array of tables is counted. Falls back to the header of the table."""
    key = location[-1] if location and isinstance(location[-1], str) else None
    here: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    header: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if table := _TABLE.match(line):
            name = table[2].replace('"', "").replace("'", "")
            if table[1]:
                counts[name] = counts.get(name, -1) + 1
            here = _with_index(name, counts)
            if here == location or here == location[:-1]:
                header = number
        elif (
            key is not None
            and here == location[:-1]
            and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
        ):
            return number
    return header


def _with_index(name: str, counts: dict[str, int]) -> tuple[str | int, ...]:
    here: list[str | int] = []
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        here.append(parts[end - 1])
        prefix = ".".join(parts[:end])
        if prefix in counts:
            here.append(counts[prefix])
    return tuple(here)


def _json_line(text: str, location: tuple[str | int, ...]) -> int | None:
    """The line of the key when it occurs exactly once in the whole file."""
    key = location[-1] if location else None
    if not isinstance(key, str):
        return None
    pattern = re.compile(rf'"{re.escape(key)}"\s*:')
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if pattern.search(line)]
    return lines[0] if len(lines) == 1 else None
