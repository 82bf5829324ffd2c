"""Errors of the inventory; each names file, key, what was expected and the closest known name."""


class InventoryError(Exception):
    """An inventory that cannot be used as written."""


class IdentityError(InventoryError):
    """A host that is not the machine that was enrolled."""


class StateError(Exception):
    """A file of the controller's state directory that is not what it should be, or cannot be used."""
