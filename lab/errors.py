"""Errors of the lab."""


class LabError(Exception):
    """The lab or one VM could not do what was asked; names the VM, what was seen, and its console log."""


class LabUsageError(LabError):
    """The request itself is wrong: an unknown host, a name that cannot be one, a lab that is not there."""
