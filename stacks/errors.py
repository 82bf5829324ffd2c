"""Errors of the stacks: each says which stack, what was seen and what to do next."""

from __future__ import annotations


class StackError(Exception):
    """The request cannot be carried out as it is: no engine, no such stack, unreadable settings or state."""


class StackLockedError(StackError):
    """Somebody else's run holds the stack, or may hold it."""


class UnsettledError(StackError):
    """An earlier run was cut off: what it left in the world has to be settled before the next one."""


class RunFailedError(StackError):
    """The engine's run ended in the middle: its state says what was done."""
