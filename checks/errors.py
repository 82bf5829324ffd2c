"""Errors of the checks."""


class CheckError(Exception):
    """A check could not be carried out; unknown is never pass."""
