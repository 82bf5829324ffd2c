"""Errors of `tuning`; each carries one sentence: which host or file, what was seen, what to do."""


class CpuListError(ValueError):
    """Text that is not a CPU list or CPU mask in the kernel's grammar."""


class SnapshotError(Exception):
    """A capture that cannot be read: truncated, of an unknown schema, or contradicting itself."""


class ProfileError(Exception):
    """A profile that asks for something impossible or unknown; `name` is empty where it has none."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"profile {name}: {fault}" if name else f"profile: {fault}")
        self.name, self.fault = name, fault


class PlanError(Exception):
    """A host that cannot be planned, with its refusal code (docs/refusals.md)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClockError(Exception):
    """A clock that cannot be planned: what was asked for contradicts itself."""
