"""The host as the agent sees it: one root directory in front of every path, and who this machine is.

The root is `/` on a real host. Tests pass `--root DIR` on the command line (never an environment variable,
which `sudo` or a unit file could pass on unnoticed) and every path, `/proc` and `/sys` included, is then a
plain file below DIR; units are only enabled or masked there, never started, and no thread of the real
machine is touched.
"""

from __future__ import annotations

import errno
import io
import os
import pkgutil
import stat
from dataclasses import dataclass

NULL = os.makedev(1, 3)  # /dev/null (null(4))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoot:
    """A machine, or a directory laid out like one."""

    root: str = "/"

    @property
    def is_live(self) -> bool:
        """Whether this is the running machine, whose units and threads may be touched."""
        return self.root == "/"

    def path(self, path: str) -> str:
        """The host's absolute PATH below the root."""
        return path if self.is_live else self.root.rstrip("/") + path

    def read(self, path: str) -> str | None:
        """The text of a file of the host, None when it does not exist."""
        try:
            with self.open(path) as stream:
                return io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape").read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, path: str) -> io.BufferedReader:
        """A plain file of the host, those of /proc and /sys included, to read; links are followed.

        OSError (EINVAL, EISDIR) for anything else, which is not even opened: a pipe waits for its writer, a
        device may begin to count.
        """
        place = self.path(path)
        _demand_plain(os.stat(place), place)  # noqa: PTH116
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _demand_plain(os.fstat(fd), place)
        except OSError:
            os.close(fd)
            raise
        return os.fdopen(fd, "rb")

    def exists(self, path: str) -> bool:
        """Whether the host has something at PATH."""
        return os.path.exists(self.path(path))  # noqa: PTH110

    def listdir(self, path: str) -> tuple[str, ...]:
        """The sorted names in a directory of the host, none when it does not exist."""
        try:
            return tuple(sorted(os.listdir(self.path(path))))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def machine_id(self) -> str:
        """The 32 hex digits of /etc/machine-id, empty when unset."""
        return (self.read("/etc/machine-id") or "").strip()

    def boot_id(self) -> str:
        """Changes with every boot; the only reliable sign of a reboot."""
        return (self.read("/proc/sys/kernel/random/boot_id") or "").strip()

    def cmdline(self) -> tuple[str, ...]:
        """The words of the running kernel's command line."""
        return tuple((self.read("/proc/cmdline") or "").split())

    def trial_txn(self) -> str | None:
        """The transaction this boot is the trial of (`hft.txn=`), if any."""
        return next(
            (word.removeprefix("hft.txn=") for word in self.cmdline() if word.startswith("hft.txn=")), None
        )


def _demand_plain(status: os.stat_result, place: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place)
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == NULL  # what hides a file by a link: empty
    if not stat.S_ISREG(status.st_mode) and not is_null:
        raise OSError(errno.EINVAL, "is no plain file", place)


def agent_version() -> str:
    """The version the build wrote into the zipapp; `source` when run from the source tree."""
    try:
        data = pkgutil.get_data("agent", "VERSION")
    except OSError:
        data = None
    return data.decode().strip() if data else "source"
