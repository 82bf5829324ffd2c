"""Errors of the acting room, each with its exit code in hft/errors.py."""

from transport.errors import HostError


class DeployError(HostError):
    """The deploy failed in a way that is ours."""


class RefusedError(DeployError):
    """The host or a precondition refused the change; nothing was written."""


class RolledBackError(DeployError):
    """The change was tried and the host is back on its old state."""


class HalfUndoneError(DeployError):
    """A change failed and was not wholly taken back: the host is neither old nor new until recovered."""


class BusyError(DeployError):
    """Another operator or transaction holds the host or the site."""
