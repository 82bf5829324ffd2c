"""Rows in the form that was asked for: a table for people, CSV (RFC 4180) for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Literal

from hft.views.table import show_table
from transport.show import one_line, tell

Form = Literal["table", "json", "csv"]


def show_rows(head: Sequence[str], rows: Sequence[Sequence[str]], form: Form) -> None:
    """Print rows as a table or as CSV, whose cells are lines of text without what commands a terminal."""
    if form != "csv":
        show_table(head, rows)
        return
    for row in (head, *rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([one_line(cell) for cell in row])
        tell(line.getvalue())
