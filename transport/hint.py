"""The next command, as the operator can paste it: for this inventory, quoted for a shell.

A hint that names no inventory answers for another site. So every command that a message names is made here,
from words, and the one inventory that this process was told to use is added to it.
"""

from __future__ import annotations

import shlex

FINGERPRINT = "SHA256:..."  # only the console of the host has the rest
NO_INVENTORY = frozenset({"lab", "doctor", "init", "demo", "--version", "help"})
_USED: list[str] = []


def use_inventory(path: str | None) -> None:
    """Name PATH in every later hint; None for the default, which needs no name."""
    _USED[:] = [] if path is None else [path]


def command(*words: str) -> str:
    """`hft WORDS... --inventory PATH`, quoted; a placeholder such as TEXT is left for the operator."""
    named = [] if words[0] in NO_INVENTORY else [word for path in _USED for word in ("--inventory", path)]
    return shlex.join(["hft", *words, *named])


def enrol(name: str) -> str:
    """The command that pins a host's key and identity."""
    return command("host", "enrol", name, "--fingerprint", FINGERPRINT)
