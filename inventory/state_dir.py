"""The controller's state directory, opened as what it is: a place where colleagues write, too.

Operators who share a site share $HFT_STATE (say, 2770 and a group of their own). Any of them can put anything
below any name there: a link to a file of the next operator, a pipe that never answers, `/dev/zero`. So each
component below the root is opened without following a link, and a file is taken only when it is regular, has
one name, and belongs to this account, to root, to who owns the directory, or to its group. What is
in it is believed no more than any other document.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inventory.errors import StateError
from transport.places import kept_state

_NOT_PLAIN = "not a plain file with one name; hint: somebody put it there, look who, and remove it"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CHUNK = 1 << 20


def state_root() -> Path:
    """Where records, locks and verdicts live: $HFT_STATE, else `hft` in the account's state folder."""
    given = os.environ.get("HFT_STATE")
    return Path(given).expanduser() if given else kept_state()


@contextmanager
def opened_folder(path: Path, *, create: bool) -> Iterator[int]:
    """A directory of the state directory, by descriptor; StateError for a link on the way to it.

    What is created is as shared as the root, whatever the umask.
    """
    root = state_root()
    if create:
        root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, _FOLDER)
    try:
        for name in path.relative_to(root).parts:
            below = _step_into(descriptor, name, path, create=create)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _step_into(above: int, name: str, path: Path, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    except FileNotFoundError:
        if not create:
            raise
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and _is_link(above, name):
            raise StateError(f"{path}: a link on the way to it; hint: look who put it there") from error
        raise
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    made = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    os.fchmod(made, os.fstat(above).st_mode & 0o2777)
    return made


def _is_link(above: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)


def open_shared(path: Path, flags: int) -> int:
    """Open or create a file of the state directory; what one operator creates the next one must be able to
    write."""
    with opened_folder(path.parent, create=True) as folder:
        try:
            descriptor = os.open(
                path.name, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder
            )
        except FileExistsError:
            return _open_in(folder, path, flags)
        os.fchmod(descriptor, os.fstat(folder).st_mode & 0o666)
        return descriptor


def open_plain(path: Path, flags: int) -> int:
    """Open a file of the state directory; StateError for a link or whatever else was laid in its place."""
    with opened_folder(path.parent, create=False) as folder:
        return _open_in(folder, path, flags)


def _open_in(folder: int, path: Path, flags: int) -> int:
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path.name, flags, dir_fd=folder)
    except PermissionError as error:
        seen = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        mode = f"{stat.S_IMODE(seen.st_mode):04o}"
        way = f"let uid {seen.st_uid} run chmod g+rw on it, or when nobody holds the site move it aside"
        raise StateError(
            f"{path}: of uid {seen.st_uid}, mode {mode}, so you cannot use it; hint: {way}"
        ) from error
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise StateError(f"{path}: {_NOT_PLAIN}") from error
        raise
    seen, around = os.fstat(descriptor), os.fstat(folder)
    fault = ""
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink != 1:
        fault = _NOT_PLAIN
    elif seen.st_uid not in {os.geteuid(), 0, around.st_uid} and seen.st_gid != around.st_gid:
        fault = f"of uid {seen.st_uid}, who is not of the directory's group; hint: look who put it there"
    if fault:
        os.close(descriptor)
        raise StateError(f"{path}: {fault}")
    return descriptor


def read_all(descriptor: int, path: Path, size_max: int) -> bytes:
    """The bytes of an open file; StateError when they are more than SIZE_MAX."""
    found = bytearray()
    while piece := os.pread(descriptor, _CHUNK, len(found)):
        found += piece
        if len(found) > size_max:
            raise StateError(f"{path}: larger than {size_max >> 20} MiB; hint: move it into an archive")
    return bytes(found)


def read_plain(path: Path, size_max: int) -> bytes:
    """The bytes of a file of the state directory."""
    descriptor = open_plain(path, os.O_RDONLY)
    try:
        return read_all(descriptor, path, size_max)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """A new file that takes the place of PATH when the body ends well; whoever reads sees the old or the new.

    The descriptor stays open: it is the caller's.
    """
    with opened_folder(path.parent, create=True) as folder:
        aside = f".{path.name}.{secrets.token_hex(6)}"
        descriptor = os.open(
            aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
        )
        try:
            os.fchmod(descriptor, os.fstat(folder).st_mode & 0o666)
            yield descriptor
            os.replace(aside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.close(descriptor)
            os.unlink(aside, dir_fd=folder)
            raise


def is_still(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one that PATH names."""
    try:
        with opened_folder(path.parent, create=False) as folder:
            there = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except (OSError, StateError):
        return False
    return os.path.samestat(there, os.fstat(descriptor))
