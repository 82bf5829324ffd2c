"""Errors of the checks."""


class CheckError(Exception):
    """A check could not be carried out; unknown is never a pass."""


class SelectionError(Exception):
    """The caller's mistake: nothing selected, a plan that is not for this host, options that contradict."""
