"""Text from a host made safe to show.

A host may be broken or hostile. Control characters in its output can rename a terminal window, move the
cursor over earlier lines or hide text behind bidirectional overrides (CVE-2021-42574), so everything that is
shown goes through `printable` first. Data that is only parsed needs none of it.
"""

from __future__ import annotations

import unicodedata

_KEEP = {"\n", "\t"}


def printable(text: str, *, limit: int = 4000) -> str:
    """TEXT without control, format (bidi) and private characters and foreign line ends, cut at LIMIT."""
    shown = "".join(c for c in text[: limit + 1] if c in _KEEP or not _is_hidden(unicodedata.category(c)))
    return shown if len(text) <= limit else shown[:limit] + " [cut]"


def _is_hidden(category: str) -> bool:
    """Other (C...), and the separators of lines and paragraphs, which end a line for who splits them."""
    return category.startswith("C") or category in {"Zl", "Zp"}
