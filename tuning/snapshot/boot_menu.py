"""What hft's own boot menu on a host says of itself, and whether GRUB reads it.

The agent writes it (agent/boot/grub.py): the words of the host's own line, and the entries with their
arguments, as one JSON comment in boot/grub/hft.cfg. A menu without it, or with something else in its place,
says nothing. grub.cfg reads the menu by one line of its own, which our generator script puts first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tuning.snapshot.grub_words import Command, commands

if TYPE_CHECKING:
    from tuning.snapshot.files import Snapshot

GRUB_CFG = "/boot/grub/grub.cfg"
HFT_CFG = "/boot/grub/hft.cfg"
DEFAULTS = "/etc/default/grub.d/90-hft.cfg"  # written when a host's GRUB was made to read our menu
HOOK = "if [ -f $prefix/hft.cfg ]; then source $prefix/hft.cfg; fi"
MARK = "# hft-menu "
# Commands behind which GRUB reads nothing more of this file; some of them boot, or open another menu.
ENDS = frozenset(
    {"exit", "return", "normal", "normal_exit", "halt", "reboot", "boot", "configfile", "legacy_configfile"}
)
_IF, _THEN = (("[", "-f", "$prefix/hft.cfg", "]"), ("if",)), (("source", "$prefix/hft.cfg"), ("then",))


def hook_place(found: Sequence[Command]) -> int | None:
    """The place of our hook among the commands of grub.cfg; None without one that GRUB comes to.

    It has to stand by itself: in a comment, a block, an entry or another condition it may read nothing.
    """
    seen = [(tuple(w.replace("${prefix}", "$prefix") for w in one.words), one.within) for one in found]
    for place, pair in enumerate(pairwise(seen)):
        if pair == (_IF, _THEN):
            return place
        if found[place].name in ENDS and not found[place].within:
            return None
    return None


def reads_ours(grub_cfg: str) -> bool:
    """Whether GRUB comes to our hook in grub.cfg, however it is spelled."""
    return hook_place(tuple(commands(grub_cfg))) is not None


def record_of(text: str) -> dict[str, Any]:
    """The record in the text of our menu, empty without one; ValueError or RecursionError when it is none."""
    line = next((one for one in text.splitlines() if one.startswith(MARK)), MARK + "{}")
    found = json.loads(line.removeprefix(MARK))
    if not isinstance(found, dict):
        raise ValueError(f"the record in {HFT_CFG} is not an object")  # noqa: TRY004  # it is data
    return found


def base_words(snapshot: Snapshot) -> tuple[str, ...]:
    """The words that every entry inherits: the host's line from before its first plan."""
    return _words(_record(snapshot).get("base"))


def good_words(snapshot: Snapshot) -> tuple[str, ...]:
    """The arguments of the proven entry."""
    good = _record(snapshot).get("good")
    return _words(good.get("args")) if isinstance(good, dict) else ()


def _record(snapshot: Snapshot) -> dict[str, Any]:
    try:
        return record_of(snapshot.text(HFT_CFG) or "")
    except (ValueError, RecursionError):
        return {}


def _words(value: object) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()
