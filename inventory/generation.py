"""The last generation of each site's signed inventory that this controller used, kept durably.

A signature says who made an inventory, not that it is the newest: whoever can put a file in its place can
put an old one there, with hosts that were since replaced and keys that were since withdrawn. So a controller
never goes back: one file a site in the state directory, replaced whole and fsynced before the inventory is
used. Two processes at once go through a lock (fcntl(2), open file description), and whoever comes second
compares with what the first one wrote.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inventory.errors import InventoryError, StateError
from inventory.state_dir import open_shared, opened_folder, read_plain, replacing, state_root
from tuning.strict_json import ShapeError, Table, parse

LOCK_WAIT_S = 10.0  # the work behind it takes milliseconds
_MOMENT_S = 0.01
_RECORD_MAX = 4096
# struct flock of fcntl(2) on a 64-bit machine: type, whence, start, length (0: to the end), pid.
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One generation, and the SHA-256 of what was signed as that generation."""

    generation: int
    sha256: str


def record_path(site: str) -> Path:
    """Where the last used generation of a site is kept."""
    return state_root() / "inventories" / f"{site}.json"


def last_used(site: str) -> Used | None:
    """What this controller used last; None before the first time, StateError when that cannot be told."""
    try:
        return _read(site)
    except StateError:  # or was it replaced between our opening and our looking at it?
        with _locked(site):
            return _read(site)


def _read(site: str) -> Used | None:
    path = record_path(site)
    try:
        found = Table.of(parse(read_plain(path, _RECORD_MAX))).closed(("schema", "generation", "sha256"))
        if found.integer("schema") != 1:
            raise ShapeError("written by another release")
        return Used(generation=found.integer("generation"), sha256=found.text("sha256", size_max=64))
    except FileNotFoundError:
        return None
    except (OSError, ShapeError) as error:
        said = getattr(error, "strerror", None) or error
        raise StateError(
            f"{path}: the last used generation of site {site} cannot be told: {said}; hint: find out which "
            "inventory is the newest, remove this file, and use that one first"
        ) from error


def refuse_older(seen: Used, last: Used | None) -> None:
    """InventoryError when SEEN is not what LAST was, nor newer."""
    if last is None or seen.generation > last.generation or seen == last:
        return
    if seen.generation == last.generation:
        raise InventoryError(
            f"generation {seen.generation} was used here with other content; hint: find out who signed two "
            "inventories with this number, and sign one with a higher number"
        )
    raise InventoryError(
        f"generation {seen.generation} is older than {last.generation}, which was used here; hint: use that "
        "one, or to go back on purpose sign the old content as a new generation"
    )


def use(site: str, seen: Used) -> None:
    """Keep SEEN as the last used generation; InventoryError when a newer one was used, whoever is first."""
    last = last_used(site)
    refuse_older(seen, last)
    if last == seen:
        return  # also where the state directory can only be read
    with _locked(site):
        last = _read(site)
        refuse_older(seen, last)
        if last != seen:
            _write(site, seen)


def _write(site: str, seen: Used) -> None:
    path = record_path(site)
    body = {"schema": 1, "generation": seen.generation, "sha256": seen.sha256}
    try:
        with replacing(path) as descriptor:
            os.write(descriptor, json.dumps(body).encode())
            os.fsync(descriptor)
        os.close(descriptor)
        with opened_folder(path.parent, create=False) as folder:
            os.fsync(folder)
    except OSError as error:
        raise _cannot_keep(path, error) from error


@contextmanager
def _locked(site: str) -> Iterator[None]:
    path = record_path(site).with_suffix(".lock")
    try:
        descriptor = open_shared(path, os.O_RDWR)
    except OSError as error:
        raise _cannot_keep(path, error) from error
    try:
        _wait(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path) -> None:
    end_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        except BlockingIOError:
            if time.monotonic() > end_s:
                held = OSError(errno.EWOULDBLOCK, f"another process has held it for {LOCK_WAIT_S:g} s")
                raise _cannot_keep(path, held) from None
            time.sleep(_MOMENT_S)
        else:
            return


def _cannot_keep(path: Path, error: OSError) -> StateError:
    return StateError(
        f"{path}: cannot keep which generation of the inventory was used: {error.strerror}; "
        "hint: free space, or set HFT_STATE"
    )
