"""One change of a lab at a time: a lock that names its holder, and that others wait for, within a bound.

The kernel frees it when its process ends (flock(2)), so a command that was killed leaves none behind. It is a
file of the lab's directory, which `down` removes while others wait for it: they would then hold a file that
nobody else can find, so what was locked is compared with what is there, and taken again where it differs.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabBusyError, LabError, LabUsageError
from lab.paths import private_dir
from lab.retry import wait_until

WAIT_S = 900.0  # two boots on a busy machine
LOOK_S = 0.2
WORDS_MAX = 200


@contextmanager
def held(
    directory: Path, what: str, told: Callable[[str], None], *, wait_s: float = WAIT_S
) -> Iterator[None]:
    """Hold the lab of DIRECTORY, which is created, to do WHAT; LabBusyError after WAIT_S names the holder."""
    descriptor = _taken(directory / "lock", told, wait_s)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}, {what}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path, told: Callable[[str], None], wait_s: float) -> int:
    holders: list[str] = []

    def look() -> int | None:
        private_dir(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if _locked(descriptor) and _is_there(path, descriptor):
            return descriptor
        holder = holder_of(descriptor)
        os.close(descriptor)
        if holder not in holders:
            told(f"lab {path.parent.name} is being changed ({holder}): waiting for it")
            holders.append(holder)
        return None

    try:
        return wait_until(look, what="the lab's lock", timeout_s=wait_s, interval_s=LOOK_S)
    except LabUsageError:
        raise
    except LabError as error:
        raise LabBusyError(
            f"lab {path.parent.name} is being changed by another command ({holders[-1]}) and was not free "
            f"within {wait_s:.0f} s; hint: wait for that process, or end it"
        ) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def holder_of(descriptor: int) -> str:
    """What the holder wrote of itself; it may be about to write it."""
    said = os.pread(descriptor, WORDS_MAX, 0).decode(errors="replace")
    return " ".join(said.split()) or "it does not say who"
