"""What goes wrong with a host: fields, and one place that makes a sentence of them.

Every error about a host derives from `HostError`: which host, what was seen, and what to do next are
fields, so that nobody has to read a sentence to decide.
"""

from __future__ import annotations


class HostError(Exception):
    """`host`, what was seen (`message`, without the host), and what to do next (`hint`, may be empty)."""

    def __init__(self, host: str, message: str, *, hint: str = "") -> None:
        super().__init__(host, message, hint)
        self.host, self.message, self.hint = host, message, hint

    def __str__(self) -> str:
        return sentence(self.host, self.message, self.hint)

    @property
    def seen(self) -> str:
        """What was seen and what to do next, for a line that begins with the host's name anyway."""
        return sentence("", self.message, self.hint)


class UnreachableError(HostError):
    """A host that cannot be reached, or does not show the pinned host key."""


class NotEnrolledError(HostError):
    """A host without a pinned key: nobody asked it anything."""


class CannotRunError(UnreachableError):
    """Somebody logs in, but what was to run there did not: an expired password, no shell, no sudo."""


class CutError(UnreachableError):
    """An answer that began and did not end."""


class ControllerError(HostError):
    """This machine cannot ask: no ssh(1), no place for a known_hosts file."""


class SlowError(UnreachableError):
    """Not refused and not cut off: there was no answer within the deadline.

    How far it had got: nobody took the connection, nobody was let in, or only the answer did not come; None
    where the way in had no time of its own, so that nobody looked.
    """

    def __init__(self, host: str, message: str, *, has_begun: bool | None, is_connected: bool | None) -> None:
        super().__init__(host, message)
        self.has_begun, self.is_connected = has_begun, is_connected


class FloodError(HostError):
    """A host sent more than an answer of its kind can hold; the connection was cut."""


def sentence(host: str, message: str, hint: str = "") -> str:
    """The one form: `host: what was seen; what to do next`."""
    said = f"{host}: {message}" if host else message
    return f"{said}; {hint}" if hint else said
