"""The hint at the end of a refusal: the nearest known name, and what else there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN_MAX = 20


def nearest(written: str, known: Iterable[str]) -> str:
    """`; hint: did you mean 'x'?` when one name is close, else the list of names (or nothing to offer)."""
    names = sorted(known)
    close = difflib.get_close_matches(written.lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    if close:
        return f"; hint: did you mean {next(name for name in names if name.lower() == close[0])!r}?"
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    return f"; hint: there is {', '.join(names[:_SHOWN_MAX])}{more}"
