"""One writer per host: flock(2) on /var/lib/hft/lock.

The kernel releases the lock when its holder dies, however it dies, and wakes whoever waits for it. So the
supervisor (`recover --wait`) acts at once and never too early. The file says who holds it, for the refusal's
sentence, and whether that takes moments only: then the next one waits, and else it is refused at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator

from agent import durable, obstacles
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.paths import JOURNAL_DIR, LOCK_FILE, STATE_FILE, VAR_DIR
from agent.record import holder_of

POLL_S = 0.02
HOLDER_BYTES_MAX = 4096


@contextlib.contextmanager
def held(host: HostRoot, holder: str, *, wait_s: float | None, brief: bool = False) -> Iterator[None]:
    """Hold the lock as HOLDER; RefusedError (busy) after WAIT_S, None waits indefinitely.

    BRIEF: it is held for moments, so that others wait for it.
    """
    check_places(host)
    durable.private_dir(host, VAR_DIR)
    fd = os.open(host.path(LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        acquire(fd, wait_s)
        text = json.dumps({"holder": holder, "brief": brief, "boot_id": host.boot_id()}).encode() + b"\n"
        with contextlib.suppress(OSError):  # a full disk: the lock works without its holder's name
            os.ftruncate(fd, 0)
            os.pwrite(fd, text, 0)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def check_places(host: HostRoot) -> None:
    """RefusedError where something stands in the way of what every writer needs."""
    obstacles.check(host, files=(LOCK_FILE, STATE_FILE), folders=(JOURNAL_DIR,))


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
            holder, brief = holder_of(os.pread(fd, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace"))
            if time.monotonic() > deadline or not brief:
                raise RefusedError(
                    "busy", f"this host is locked by {holder}; try again when that has ended"
                ) from None
            time.sleep(POLL_S)
