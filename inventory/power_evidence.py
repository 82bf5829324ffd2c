"""What power control saw of a host: values, for whoever decides who brought it back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment in what power control has seen: evidence is asked for since then."""

    console_chars: int = 0
    resets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen since a mark; None: nobody recorded. `resets` says of each: watchdog, guest or host."""

    console: str | None = None
    resets: tuple[str, ...] | None = None
