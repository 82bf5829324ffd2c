"""The kernel's own parsers, written out step by step from its C: what two readers of ours are held to.

next_arg() of lib/cmdline.c, parse_args() of kernel/params.c, bitmap_parselist() of lib/bitmap-str.c (6.1).
Characters are looked at one by one, as C does; nothing is shared with tuning or checks.
"""

from __future__ import annotations

BLANKS = " \t\n\v\f\r"


def kernel_words(line: str) -> list[tuple[str, str]]:
    """What parse_args() hands to the kernel's parameters: name with `_`, value, in order, up to `--`."""
    args: list[str] = [*line, "\0"]
    found: list[tuple[str, str]] = []
    at = _skip(args, 0)
    while args[at] != "\0":
        start, quoted, inside, equals = at, False, False, -1
        if args[at] == '"':
            start, quoted, inside = at + 1, True, True
        place = start
        while args[place] != "\0":
            if args[place] in BLANKS and not inside:
                break
            if equals <= start and args[place] == "=":
                equals = place if place > start else equals
            if args[place] == '"':
                inside = not inside
            place += 1
        name_end, value_at, value_end = place, None, place
        if equals > start:
            name_end, value_at = equals, equals + 1
            if args[value_at] == '"':
                value_at += 1
                if args[place - 1] == '"':
                    value_end = place - 1
        if quoted and place > start and args[place - 1] == '"':
            value_end = min(value_end, place - 1)
            if value_at is None:
                name_end = place - 1
        name = "".join(args[start:name_end])
        value = None if value_at is None else "".join(args[value_at : max(value_end, value_at)])
        if name == "--" and value is None:
            return found
        found.append((name.replace("-", "_"), value or ""))
        at = _skip(args, place + (args[place] != "\0"))
    return found


def _skip(args: list[str], at: int) -> int:
    while args[at] in BLANKS:
        at += 1
    return at


class RefusedError(Exception):
    """The kernel takes none of the list."""


def kernel_cpus(text: str, bits: int) -> frozenset[int]:
    """What bitmap_parselist() sets in a mask of BITS bits."""
    rest, found = text + "\0", set[int]()
    while True:
        while rest[0] != "\0" and (rest[0] in BLANKS or rest[0] == ","):
            rest = rest[1:]
        if rest[0] == "\0":
            return frozenset(found)
        if rest[:3].lower() == "all":
            start, end, rest = 0, bits - 1, rest[3:]
        else:
            start, rest = _number(rest, bits)
            end = start
            if not _ends(rest):
                if rest[0] != "-":
                    raise RefusedError
                end, rest = _number(rest[1:], bits)
        used = group = end + 1
        if not _ends(rest):
            if rest[0] != ":":
                raise RefusedError
            used, rest = _number(rest[1:], bits)
            if rest[0] != "/":
                raise RefusedError
            group, rest = _number(rest[1:], bits)
        if start > end or group == 0 or used > group or end >= bits:
            raise RefusedError
        for first in range(start, end + 1, group):
            found |= set(range(first, first + min(end - first + 1, used)))


def _ends(text: str) -> bool:
    return text[0] in BLANKS or text[0] in ",\0"


def _number(text: str, bits: int) -> tuple[int, str]:
    if text[0] == "N":
        return bits - 1, text[1:]
    digits = len(text) - len(text.lstrip("0123456789"))
    if not digits or int(text[:digits]) >= 1 << 32:
        raise RefusedError
    return int(text[:digits]), text[digits:]
