"""The host as the agent sees it: one root directory in front of every path, and who this machine is.

The root is `/` on a real host. Tests pass `--root DIR` on the command line (never an environment variable,
which `sudo` or a unit file could carry over unseen) and every path, `/proc` and `/sys` included, is then a
plain file below DIR; units are only enabled or masked there, never started, and no thread of the real
machine is touched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VAR_DIR = "/var/lib/hft"
JOURNAL_DIR = VAR_DIR + "/journal"
STATE_FILE = VAR_DIR + "/state.json"
PLAN_FILE = VAR_DIR + "/plan.json"
LOCK_FILE = VAR_DIR + "/lock"
LIB_DIR = "/usr/local/lib/hft"
ENGINE_CGROUP = "/sys/fs/cgroup/hft.slice/hft-engine.slice"  # a dash in a slice name is a level


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine, or a directory that looks like one."""

    root: str = "/"

    @property
    def is_live(self) -> bool:
        """Whether this is the running machine, whose units and threads may be touched."""
        return self.root == "/"

    def path(self, path: str) -> str:
        """Where the host's absolute PATH is found from here."""
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
        """Changes with every boot; the only sure sign of a reboot."""
        return (self.read("/proc/sys/kernel/random/boot_id") or "").strip()

    def cmdline(self) -> tuple[str, ...]:
        """The words of the running kernel's command line."""
        return tuple((self.read("/proc/cmdline") or "").split())

    def trial_txn(self) -> str | None:
        """The transaction this boot is the trial of (`hft.txn=`), if any."""
        return next(
            (word.removeprefix("hft.txn=") for word in self.cmdline() if word.startswith("hft.txn=")), None
        )
