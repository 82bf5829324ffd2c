"""The error of this room's decisions."""


class CoreError(Exception):
    """A wish that cannot be met as written; one sentence with what was seen and what to do."""
