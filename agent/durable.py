"""Durable writes: a file is old or new, never in between, and what was reported survives a power cut.

The rule (rename(2), fsync(2)): write a temporary file in the same directory, fsync it, rename it over the
target, fsync the directory. A success may be reported only after the last of these. Directories are opened
component by component with O_NOFOLLOW, so a symbolic link planted in a parent cannot lead a write
elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from agent.errors import RefusedError
from agent.host import HostRoot

DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def open_dir(host: HostRoot, path: str) -> Iterator[int]:
    """A descriptor of the directory PATH; FileNotFoundError when absent, refused across a symbolic link."""
    fd = os.open(host.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in (part for part in path.split("/") if part):
            try:
                below = os.open(name, DIR_FLAGS, dir_fd=fd)
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                    raise RefusedError(
                        "preflight", f"{path}: {name} is not a plain directory (a symbolic link?)"
                    ) from error
                raise
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def split(path: str) -> tuple[str, str]:
    """Directory and name of an absolute path."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name


def aside(name: str) -> str:
    """The temporary name for NAME, in the same directory."""
    return f".{name}.hft-new"


def remove_aside(host: HostRoot, path: str) -> None:
    """Remove what a killed `write_file` or `write_link` of PATH left behind."""
    parent, name = split(path)
    remove_file(host, f"{parent}/{aside(name)}")


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; write(2) may write fewer than asked."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_new(directory: int, name: str, data: bytes, mode: int) -> None:
    """Create NAME in an open directory with DATA, durable except for its directory entry; must not exist."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)  # after open(2), whose mode the umask reduces
        os.fsync(fd)
    finally:
        os.close(fd)


def unlink_if_there(directory: int, name: str) -> bool:
    """Remove NAME from an open directory; whether it was there."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


def write_file(host: HostRoot, path: str, data: bytes, mode: int = 0o644) -> None:
    """Replace the host's file PATH as a whole, durably."""
    parent, name = split(path)
    with open_dir(host, parent) as directory:
        temporary = aside(name)
        unlink_if_there(directory, temporary)
        try:
            write_new(directory, temporary, data, mode)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            unlink_if_there(directory, temporary)
            raise
        os.fsync(directory)


def remove_file(host: HostRoot, path: str) -> None:
    """Remove the host's file PATH durably; absent is fine."""
    parent, name = split(path)
    with contextlib.suppress(FileNotFoundError), open_dir(host, parent) as directory:
        if unlink_if_there(directory, name):
            os.fsync(directory)


def make_dirs(host: HostRoot, path: str, mode: int = 0o755) -> None:
    """Create the host's directory PATH and its parents, each durable in the one above it."""
    made = ""
    for name in (part for part in path.split("/") if part):
        with open_dir(host, made or "/") as directory:
            try:
                os.mkdir(name, mode, dir_fd=directory)
            except FileExistsError:
                pass
            else:
                os.fsync(directory)
        made = f"{made}/{name}"


def private_dir(host: HostRoot, path: str) -> None:
    """The host's directory PATH for root alone: made so, and made so again where it was not."""
    make_dirs(host, path, 0o700)
    with open_dir(host, path) as directory:
        if stat.S_IMODE(os.fstat(directory).st_mode) & 0o077:
            os.fchmod(directory, 0o700)
            os.fsync(directory)


def read_regular(host: HostRoot, path: str, limit: int) -> tuple[bytes, os.stat_result] | None:
    """Content and status of the host's regular file PATH, None when absent; refused for anything else."""
    parent, name = split(path)
    try:
        with open_dir(host, parent) as directory:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RefusedError(
                "preflight", f"{path} is a symbolic link; replace it with a file or leave it out"
            ) from error
        raise
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError("preflight", f"{path} is not a regular file")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise RefusedError("preflight", f"{path} is larger than {limit} bytes")
    return data, status


def write_link(host: HostRoot, path: str, target: str) -> None:
    """Make the host's PATH a symbolic link to TARGET, replacing what is there, durably."""
    parent, name = split(path)
    with open_dir(host, parent) as directory:
        temporary = aside(name)
        unlink_if_there(directory, temporary)
        try:
            os.symlink(target, temporary, dir_fd=directory)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            unlink_if_there(directory, temporary)
            raise
        os.fsync(directory)


def remove_dir(host: HostRoot, path: str) -> None:
    """Remove the host's empty directory PATH durably."""
    parent, name = split(path)
    with open_dir(host, parent) as directory:
        os.rmdir(name, dir_fd=directory)
        os.fsync(directory)


def sync_dir(host: HostRoot, path: str) -> None:
    """Make the entries of the host's directory PATH durable."""
    with open_dir(host, path) as directory:
        os.fsync(directory)
