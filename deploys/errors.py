"""Errors of the acting room, each with its exit code in hft/errors.py; every message names the host."""


class DeployError(Exception):
    """The deploy failed in a way that is ours."""


class UnreachableError(DeployError):
    """A host did not answer within its deadline."""


class RefusedError(DeployError):
    """The host or a precondition refused the change; nothing was written."""


class RolledBackError(DeployError):
    """The change was tried and the host is back on its old state."""


class HalfUndoneError(DeployError):
    """A change failed and was not wholly taken back: the host is neither old nor new until recovered."""


class BusyError(DeployError):
    """Another operator or transaction holds the host or the site."""


class SlowError(UnreachableError):
    """The host was not refused and not cut off: it did not answer within the deadline."""
