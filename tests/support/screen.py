"""Text that would command a terminal, and what of a screen a terminal would obey."""

from __future__ import annotations

import re
import unicodedata

HOSTILE = (
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b]0;all hosts ok\x07",  # names the window
    "\x1b]8;;https://example.net\x1b\\ok\x1b]8;;\x1b\\",  # a link
    "\x9b31m",  # the same in one byte
    "safe\u202etxt.exe",  # right to left (CVE-2021-42574)
    "\u2066\u2069\u200f",
    "nul\x00\x08\x08\x08",
    "one\nhft: all hosts ok\r",
    "one\u2028two\x85three\x0bfour",
    "[bold][/x][link=https://example.net]",
)
OURS = re.compile(r"\x1b\[(1|2|31|32|33|35|36|1;31)m|\x1b\[0m")


def obeyed(text: str) -> list[str]:
    """What a terminal would obey in TEXT beside our own styles and line ends."""
    rest = OURS.sub("", text)
    return [c for c in rest if c != "\n" and (unicodedata.category(c)[0] == "C" or c in "\u2028\u2029")]
