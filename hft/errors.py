"""Exit codes, and the one place where an error becomes an exit code.

Each room raises its own error class with one sentence (which host, what was seen, what to do next). The hall
maps the class to a documented exit code; `run_guarded` prints the sentence and never a traceback for a
user's mistake. The codes are part of the interface: docs/ci.md documents them, tests hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from traceback import walk_tb


class Exit(IntEnum):
    """Process exit codes of every `hft` command."""

    OK = 0
    INTERNAL = 1
    BAD_INPUT = 2
    PENDING = 3
    UNVERIFIABLE = 4
    VIOLATED = 5
    ROLLED_BACK = 6
    UNREACHABLE = 7
    LOCKED = 8
    NOT_JUDGED = 9
    HALF_UNDONE = 10
    INTERRUPTED = 130


class HftError(Exception):
    """A failure of the hall itself with its exit code; the message is one sentence for the operator."""

    def __init__(self, exit_code: Exit, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class HostsError(HftError):
    """What several hosts made impossible: one error a host, and what that means for the run.

    ERRORS are the rooms' own, each with its host; the exit code is that of the worst: unreachable only where
    nothing else is wrong.
    """

    def __init__(self, errors: Sequence[tuple[str, Exception]], *, hint: str) -> None:
        codes = [exit_code_of(error) or Exit.INTERNAL for _, error in errors]
        worst = next((code for code in codes if code is not Exit.UNREACHABLE), Exit.UNREACHABLE)
        super().__init__(worst, "; ".join([*(line_of(*one) for one in errors), hint]))
        self.errors, self.hint = tuple(errors), hint


def line_of(host: str, error: Exception) -> str:
    """The sentence of an error of a host, with the host's name once: a room's error may begin with it."""
    said = " ".join(str(error).split())
    return said if getattr(error, "host", "") == host else f"{host}: {said}"


# Fully qualified class name -> exit code. By name, so that a light command never imports a heavy room.
EXIT_BY_CLASS: dict[str, Exit] = {
    "tuning.errors.CpuListError": Exit.BAD_INPUT,
    "tuning.errors.ClockError": Exit.BAD_INPUT,
    "tuning.errors.PlanError": Exit.BAD_INPUT,
    "tuning.errors.SnapshotError": Exit.BAD_INPUT,
    "tuning.errors.ProfileError": Exit.BAD_INPUT,
    "inventory.errors.InventoryError": Exit.BAD_INPUT,
    "inventory.errors.IdentityError": Exit.BAD_INPUT,
    "inventory.errors.StateError": Exit.BAD_INPUT,
    "lab.errors.LabUsageError": Exit.BAD_INPUT,
    "lab.errors.LabBusyError": Exit.LOCKED,
    "lab.errors.LabError": Exit.UNREACHABLE,
    "transport.errors.UnreachableError": Exit.UNREACHABLE,
    "transport.errors.FloodError": Exit.UNREACHABLE,
    "transport.errors.HostError": Exit.BAD_INPUT,
    "deploys.errors.DeployError": Exit.INTERNAL,
    "deploys.errors.RefusedError": Exit.BAD_INPUT,
    "deploys.errors.RolledBackError": Exit.ROLLED_BACK,
    "deploys.errors.HalfUndoneError": Exit.HALF_UNDONE,
    "deploys.errors.BusyError": Exit.LOCKED,
    "engine.toolchain.build.BuildError": Exit.INTERNAL,
    "engine.conformance.errors.ArtifactError": Exit.BAD_INPUT,
    "stacks.errors.StackError": Exit.BAD_INPUT,
    "stacks.errors.StackLockedError": Exit.LOCKED,
    "stacks.errors.UnsettledError": Exit.HALF_UNDONE,
    "stacks.errors.RunFailedError": Exit.HALF_UNDONE,
    "checks.errors.SelectionError": Exit.BAD_INPUT,
    "checks.errors.CheckError": Exit.UNVERIFIABLE,
}


def is_homeless(error: BaseException) -> bool:
    """Whether a path began with `~` and nobody knows whose home that is: pathlib raises it there."""
    if not isinstance(error, RuntimeError) or error.__traceback__ is None:
        return False
    innermost = list(walk_tb(error.__traceback__))[-1][0]
    return innermost.f_code.co_name == "expanduser"


def exit_code_of(error: BaseException) -> Exit | None:
    """The exit code of a room's error, by its class or the nearest listed base; None if unlisted."""
    if isinstance(error, HftError):
        return error.exit_code
    if is_homeless(error):
        return Exit.BAD_INPUT
    for cls in type(error).__mro__:
        found = EXIT_BY_CLASS.get(f"{cls.__module__}.{cls.__qualname__}")
        if found is not None:
            return found
    return None
