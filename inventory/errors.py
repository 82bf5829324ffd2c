"""Errors of the inventory; each names file, key, what was expected and the closest known name."""


class InventoryError(Exception):
    """An inventory that cannot be used as written."""


class IdentityError(InventoryError):
    """A host that is not the machine that was enrolled; `host` is its name where one is known."""

    def __init__(self, message: str, *, host: str = "") -> None:
        super().__init__(message)
        self.host = host


class StateError(Exception):
    """A file of the controller's state directory that is not what it should be, or cannot be used."""
