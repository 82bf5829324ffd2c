"""Tables for people: a value stands whole on its line, so that it can be searched for and copied.

Where a table fits, it is columns. Where it does not, its last column goes on below itself, broken at blanks;
where even that leaves too little room, each row is a block of `column: value` lines. Nothing is ever cut, and
nothing is broken inside a word, whatever the width. A file or a pipe gets one line for each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transport.show import Part, Styled, tell, text_of, width

LAST_MIN = 24  # of the last column, to be broken at blanks
GAP = "  "
Line = tuple[Part, ...]


def show_table(head: Sequence[str], rows: Sequence[Sequence[Part]], *, right: Sequence[int] = ()) -> None:
    """Print a table; RIGHT are the columns whose values end below each other."""
    for line in table_lines(head, rows, room=width(), right=right):
        tell(*line)


def show_wrapped(text: Part, *, head: str = "", indent: int = 0) -> None:
    """Print a sentence behind HEAD, broken at blanks where it is wider than the terminal."""
    style = text.style if isinstance(text, Styled) else ""
    room, indent = width(), indent or len(head)
    for number, piece in enumerate(_broken(text_of(text), None if room is None else room - indent)):
        tell(" " * indent if number else head, Styled(piece, style))


def table_lines(
    head: Sequence[str], rows: Sequence[Sequence[Part]], *, room: int | None, right: Sequence[int] = ()
) -> Iterator[Line]:
    """The lines of a table in ROOM columns; None is as wide as it gets."""
    titles: tuple[Part, ...] = tuple(Styled(title, "bold") for title in head)
    everything = [titles, *rows]
    widths = [max(len(text_of(row[at])) for row in everything) for at in range(len(head))]
    before_last = sum(widths[:-1]) + len(GAP) * (len(head) - 1)
    if room is None or before_last + widths[-1] <= room:
        last = None
    elif room - before_last >= LAST_MIN and len(head) - 1 not in right:
        last = room - before_last
    else:
        yield from _blocks(head, rows)
        return
    for row in everything:
        yield from _row(row, widths, last, right)


def _row(
    row: Sequence[Part], widths: Sequence[int], last: int | None, right: Sequence[int]
) -> Iterator[Line]:
    line: list[Part] = []
    for at, cell in enumerate(row[:-1]):
        blank = " " * (widths[at] - len(text_of(cell)))
        line += [blank, cell, GAP] if at in right else [cell, blank, GAP]
    if len(row) - 1 in right:
        line.append(" " * (widths[-1] - len(text_of(row[-1]))))
    style = row[-1].style if isinstance(row[-1], Styled) else ""
    first, *more = _broken(text_of(row[-1]), last)
    yield _stripped((*line, Styled(first, style)))
    under = " " * (sum(widths[:-1]) + len(GAP) * (len(row) - 1))
    for piece in more:
        yield under, Styled(piece, style)


def _blocks(head: Sequence[str], rows: Sequence[Sequence[Part]]) -> Iterator[Line]:
    for row in rows:
        yield f"{head[0]}: ", row[0]
        for title, cell in zip(head[1:], row[1:], strict=True):
            if text_of(cell) not in ("", "-"):
                yield f"  {title}: ", cell


def _broken(text: str, room: int | None) -> list[str]:
    """TEXT in pieces of at most ROOM characters, or of one word where that is longer."""
    if room is None or len(text) <= room:
        return [text]
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _stripped(line: Line) -> Line:
    """Without the blanks at its end, which nobody sees and which break a narrow terminal's last line."""
    kept = list(line)
    while kept and not text_of(kept[-1]).strip():
        kept.pop()
    return tuple(kept)
