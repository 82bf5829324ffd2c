"""The hint at the end of a refusal: the closest known name, or the known names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN_MAX = 20
# Of `--limit`, whose grammar is inventory/selection.py; here, where looking it up loads nothing.
LIMIT_HELP = "Names, patterns, e[1-9], @FILE, role: domain: profile: class: group: by commas; ! takes away."
_WORD_MAX = 64  # what is longer was not mistyped, and comparing costs its length squared


def did_you_mean(written: str, known: Iterable[str], *, alike: float = 0.6) -> str:
    """`; hint: did you mean 'x'?` when one name is as much ALIKE (difflib's ratio), else nothing."""
    if len(written) > _WORD_MAX:
        return ""
    names = {name.lower(): name for name in sorted(known, reverse=True)}
    close = difflib.get_close_matches(written.lower(), sorted(names), n=1, cutoff=alike)
    return f"; hint: did you mean {names[close[0]]!r}?" if close else ""


def nearest(written: str, known: Iterable[str]) -> str:
    """The same, and where no name is close the list of names (or nothing)."""
    names = sorted(known)
    if hint := did_you_mean(written, names):
        return hint
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    return f"; hint: there is {', '.join(names[:_SHOWN_MAX])}{more}"
