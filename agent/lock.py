"""One writer per host: flock(2) on /var/lib/hft/lock.

The kernel drops the lock when its holder dies, however it dies, and wakes whoever waits for it. That is
what makes the supervisor (`recover --wait`) act at once and never too early. The file says who holds it,
for the refusal's sentence.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from agent import durable
from agent.errors import RefusedError
from agent.host import LOCK_FILE, VAR_DIR, Host

POLL_S = 0.02


@contextlib.contextmanager
def held(host: Host, holder: str, *, wait_s: float | None) -> Iterator[None]:
    """Hold the lock as HOLDER; RefusedError (busy) after WAIT_S, None waits for ever."""
    durable.make_dirs(host, VAR_DIR)
    fd = os.open(host.path(LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        acquire(fd, wait_s)
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its sentence too
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{holder}\n".encode(), 0)
        yield
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def acquire(fd: int, wait_s: float | None) -> None:
    """Take the lock, within the time given."""
    if wait_s is None:
        fcntl.flock(fd, fcntl.LOCK_EX)
        return
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another writer"
            # a recovery is over in a moment; anything else is another operator's, and he is told at once
            if time.monotonic() > deadline or not holder.startswith("recover"):
                raise RefusedError(
                    "busy", f"this host is held by {holder}; try again when it has ended"
                ) from None
            time.sleep(POLL_S)
