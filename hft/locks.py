"""One operator at a time per site: a lock that names its holder, frees itself when the holder dies, and can
be taken over.

The kernel holds the lock (an open file description lock, fcntl(2)), so a killed `hft` frees it at once and
there is no stale lock to clean up. The file's content only says who holds it, for the sentence the next
operator reads. Taking over puts a new lock file in place of the old one: the old holder keeps the lock of a
file that is no longer there and is refused at its next step, which is why long work calls `check()` before
every host. The host's own lock (`/var/lib/hft/lock`) stands behind this one and refuses a second writer
whatever the controllers believe.

The lock is as wide as the directory: operators who share a site share $HFT_STATE.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hft.errors import Exit, HftError
from hft.operators import operator
from hft.run_log import append, now
from inventory.errors import StateError
from inventory.state_dir import is_still, open_plain, open_shared, replacing, state_root
from transport.sanitize import printable
from tuning.strict_json import ShapeError, Table, parse

_SWAPS_MOST = 100
HOLDER_MAX, WORDS_MAX = 65_536, 300
# struct flock of fcntl(2) on a 64-bit machine: type, whence, start, length (0: to the end), pid.
_FLOCK = struct.Struct("hhqqi4x")
_WHOLE_FILE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a site, since when, and what for."""

    who: str
    pid: int
    since: str
    reason: str

    def sentence(self) -> str:
        """`alice@ops1 (pid 4711) since 2026-11-21T10:15:00+00:00 for: apply of plan 3f2a`."""
        return f"{self.who} (pid {self.pid}) since {self.since} for: {self.reason or 'no reason given'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLock:
    """A held lock."""

    site: str
    path: Path
    descriptor: int
    died: Holder | None = None  # the holder before us, when it ended without letting go

    def check(self) -> None:
        """Refuse to go on when another operator took the site over."""
        if not is_still(self.path, self.descriptor):
            taker = holder_of(self.site)
            by = taker.sentence() if taker else "another operator"
            raise HftError(Exit.LOCKED, f"site {self.site}: taken over by {by}; this run stops here")


def lock_path(site: str) -> Path:
    """The lock file of a site."""
    return state_root() / "locks" / f"{site}.lock"


@contextmanager
def site_lock(site: str, reason: str, *, takeover: bool = False) -> Iterator[SiteLock]:
    """Hold a site for the body; raises HftError (exit 8) naming the holder when somebody else does."""
    path = lock_path(site)
    me = Holder(who=operator(), pid=os.getpid(), since=now(), reason=reason)
    try:
        descriptor = _take_over(path, site, me) if takeover else _take(path, site)
        died = _read_holder(descriptor)
    except OSError as error:
        hint = "hint: it and its folder must be writable for you, or set HFT_STATE"
        raise HftError(
            Exit.BAD_INPUT, f"{path}: cannot lock site {site}: {error.strerror}; {hint}"
        ) from error
    try:
        with suppress(OSError):  # a full disk: the lock holds, only its holder goes unnamed
            _write_holder(descriptor, me)
        yield SiteLock(site=site, path=path, descriptor=descriptor, died=died if died != me else None)
    finally:
        os.ftruncate(descriptor, 0)  # nobody holds it; the file stays, because removing it would race
        os.close(descriptor)


def holder_of(site: str) -> Holder | None:
    """Who holds a site now, or None when it is free (a dead holder's name does not count). Takes nothing."""
    try:
        descriptor = open_plain(lock_path(site), os.O_RDONLY)
    except (OSError, StateError):
        return None
    try:
        return _read_holder(descriptor) if _is_held(descriptor) else None
    finally:
        os.close(descriptor)


def _take(path: Path, site: str) -> int:
    """A descriptor that holds the lock of the file that is at PATH.

    Tried again when a takeover swapped the file between our open and our lock.
    """
    holder = None
    for _ in range(_SWAPS_MOST):
        descriptor = open_shared(path, os.O_RDWR)
        if not _lock(descriptor):
            holder = _read_holder(descriptor)
            os.close(descriptor)
            break
        if is_still(path, descriptor):
            return descriptor
        os.close(descriptor)
    raise HftError(Exit.LOCKED, _busy(site, holder))


def _lock(descriptor: int) -> bool:
    """Lock the whole file for this open file; False when another open file holds it."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except BlockingIOError:
        return False
    return True


def _is_held(descriptor: int) -> bool:
    """Whether another open file holds the lock; asked without taking it, so that looking disturbs nobody."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE_FILE)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _busy(site: str, holder: Holder | None) -> str:
    held = holder.sentence() if holder else "another operator"
    return (
        f"site {site} is held by {held}; hint: wait for it; when their run hangs and they "
        "agree, repeat with --takeover"
    )


def _take_over(path: Path, site: str, me: Holder) -> int:
    """Swap in a lock file that is already ours; recorded before it takes effect."""
    before = holder_of(site)
    if before is None:
        return _take(path, site)
    event = {"event": "takeover", "by": me.who, "pid": me.pid, "reason": me.reason, "from": asdict(before)}
    append(site, event)
    with replacing(path) as descriptor:
        _lock(descriptor)  # nobody else has this file open yet
        _write_holder(descriptor, me)
    return descriptor


def _write_holder(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)


def _read_holder(descriptor: int) -> Holder | None:
    """The name in the file; None when it is empty or just being written: the sentence can live without.

    Any member of the group may have written it: it is held to its shape, and its words to one printable line.
    """
    try:
        found = Table.of(parse(os.pread(descriptor, HOLDER_MAX, 0)))
        who, since, reason = (
            _words(found.text(key, size_max=HOLDER_MAX)) for key in ("who", "since", "reason")
        )
        return Holder(who=who, pid=found.integer("pid"), since=since, reason=reason)
    except (OSError, ShapeError):
        return None


def _words(text: str) -> str:
    return " ".join(printable(text, limit=WORDS_MAX).split())
