"""Errors of the inventory; each names file, key, what was expected and the nearest known name."""


class InventoryError(Exception):
    """An inventory that cannot be used as written."""


class IdentityError(InventoryError):
    """A host that is not the machine that was enrolled."""
