"""Errors of the checks."""


class CheckError(Exception):
    """A check could not be carried out; unknown is never pass."""


class SelectionError(Exception):
    """The caller's mistake: nothing selected, a plan that is not for this host, options that contradict."""


class UnreachableError(CheckError):
    """A host that gave no answer in time, or not the one with the pinned host key."""


class SlowError(UnreachableError):
    """There was no answer in time; on a machine that is too busy to run its VMs that says nothing of them."""
