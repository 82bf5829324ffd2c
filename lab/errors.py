"""Errors of the lab."""


class LabError(Exception):
    """The lab or one VM failed; names the VM, what was seen, and its console log."""


class LabUsageError(LabError):
    """The request itself is wrong: an unknown host, an invalid name, a lab that does not exist."""


class LabBusyError(LabError):
    """Another command was changing the lab all the while; names its process."""
