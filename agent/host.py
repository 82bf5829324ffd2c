"""The host as the agent sees it: one root directory in front of every path, and who this machine is.

The root is `/` on a real host. Tests pass `--root DIR` on the command line (never an environment variable,
which `sudo` or a unit file could pass on unnoticed) and every path, `/proc` and `/sys` included, is then a
plain file below DIR; units are only enabled or masked there, never started, and no thread of the real
machine is touched.
"""

from __future__ import annotations

import os
import pkgutil
from dataclasses import dataclass


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
            with open(self.path(path), encoding="utf-8", errors="surrogateescape") as stream:  # noqa: PTH123
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

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


def agent_version() -> str:
    """The version the build wrote into the zipapp; `source` when run from the source tree."""
    try:
        data = pkgutil.get_data("agent", "VERSION")
    except OSError:
        data = None
    return data.decode().strip() if data else "source"
