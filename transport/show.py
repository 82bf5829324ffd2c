"""The one writer for people: whatever it is given, a line is one line and nothing in it commands a terminal.

Hosts, files and operators may put escape sequences, bidirectional overrides or line ends into any text
(transport/sanitize.py says why that matters). So nobody cleans by hand: `tell` does, and knows only styles
that we gave it ourselves. Nor can a line that nobody reads steer what is done: a reader that left, or a full
disk behind the output, is silence and no error.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from transport.sanitize import printable

Style = Literal["", "bold", "dim", "red", "green", "yellow", "magenta", "cyan", "alarm"]
LINE_MAX = 200_000  # a list of every host of a large site is long, a flood is longer
_SGR: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
    "alarm": "1;31",
}


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of a line and how a terminal shows it; elsewhere it is the text alone."""

    text: str
    style: Style = ""


Part = str | Styled


def one_line(text: str) -> str:
    """TEXT on one line, without anything that a terminal obeys."""
    return printable(" ".join(text.expandtabs(1).splitlines()), limit=LINE_MAX)


def text_of(part: Part) -> str:
    """What a part reads as, cleaned and without its style."""
    return one_line(part.text if isinstance(part, Styled) else part)


def tell(*parts: Part, err: bool = False) -> None:
    """Print one line; where nobody reads it any more (or the disk behind it is full), go on in silence."""
    stream = sys.stderr if err else sys.stdout
    coloured = shows_colours(stream)
    _write(stream, "".join(_shown(part, coloured=coloured) for part in parts) + "\n")


def tell_document(value: Any) -> None:
    """Print one JSON document, or the text of one, on standard output.

    It is ASCII, so nothing in it commands a terminal either.
    """
    _TOLD.append(None)
    if not isinstance(value, str):
        text = json.dumps(value, indent=1)
    elif value.isascii():
        text = value
    else:
        text = json.dumps(json.loads(value))
    _write(sys.stdout, text + "\n")


def clear_screen() -> None:
    """Empty a terminal (ECMA-48: cursor home, erase the display); elsewhere nothing."""
    if shows_colours(sys.stdout):
        _write(sys.stdout, "\x1b[H\x1b[2J")


def forget_documents() -> None:
    """A new command begins."""
    _TOLD.clear()


def is_document_told() -> bool:
    """Whether this command has printed its document."""
    return bool(_TOLD)


def shows_colours(stream: TextIO) -> bool:
    """On a terminal, unless the operator said no (https://no-color.org) or it knows none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of standard output: $COLUMNS, else the terminal's; None (never wrapped) for a file or pipe."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isascii() and wanted.isdigit() and int(wanted):
        return int(wanted)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


_TOLD: list[None] = []


def _shown(part: Part, *, coloured: bool) -> str:
    code = _SGR.get(part.style) if isinstance(part, Styled) and coloured else None
    return f"\x1b[{code}m{text_of(part)}\x1b[0m" if code else text_of(part)


def _write(stream: TextIO, text: str) -> None:
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):  # ValueError: the stream is closed
        _point_nowhere(stream)


def _point_nowhere(stream: TextIO) -> None:
    """Whatever is still in its buffer goes to the null device, so that the interpreter ends well, too."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
    except (OSError, ValueError):  # a stream without a descriptor has nothing to point elsewhere
        return
