"""The next command, as the operator can paste it: for this inventory, quoted for a shell.

A hint that names no inventory answers for another site. So every command that a message names is made here,
from words, and the one inventory that this process was told to use (or `--lab`) is added to it.
"""

from __future__ import annotations

import shlex

FINGERPRINT = "SHA256:..."  # only the console of the host has the rest
NO_INVENTORY = frozenset(
    {"lab", "doctor", "init", "demo", "site", "explain", "audit", "stack", "manual", "--version", "help"}
)
_USED: list[str] = []


def use_inventory(path: str | None) -> None:
    """Name PATH in every later hint; None for the default, which needs no name."""
    _USED[:] = [] if path is None else ["--inventory", path]


def use_lab() -> None:
    """Name the lab in every later hint: it was asked for, where another site may be configured."""
    _USED[:] = ["--lab"]


def use_here(path: str | None) -> None:
    """Name this machine in every later hint, and the inventory that was asked for it."""
    _USED[:] = ["--local", *(() if path is None else ("--inventory", path))]


def command(*words: str) -> str:
    """`hft WORDS... --inventory PATH`, quoted; a placeholder such as TEXT is left for the operator."""
    return shlex.join(["hft", *words, *(() if words[0] in NO_INVENTORY else _USED)])


def enrol(name: str) -> str:
    """The command that pins a host's key and identity."""
    return command("host", "enrol", name, "--fingerprint", FINGERPRINT)
