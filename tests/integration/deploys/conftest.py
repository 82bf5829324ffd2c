"""A host on loopback behind a real sshd, as the inventory would describe it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from tests.support.sshd import running_sshd

# Every login and session is in the log, and the key exchange is what a hardened host offers.
MORE = "LogLevel VERBOSE\nSubsystem sftp internal-sftp\nKexAlgorithms curve25519-sha256\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One loopback host as the inventory would describe it."""

    name: str
    address: str
    ssh_port: int
    user: str
    host_keys: tuple[str, ...]
    ssh_key: str | None
    jump: Any = None
    log: Path
    patience: float = 1.0
    is_here: bool = False

    def connections(self) -> int:
        """TCP connections that logged in so far, from sshd's own log."""
        return self.log.read_text().count("Accepted publickey")

    def commands(self) -> int:
        """Remote commands and subsystems started so far: round trips as the target saw them."""
        return self.log.read_text().count("Starting session:")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running_sshd(tmp_path_factory.mktemp("sshd"), MORE) as server:
        yield Target(
            name="target",
            address="127.0.0.1",
            ssh_port=server.port,
            user=getuser(),
            host_keys=(server.host_key,),
            ssh_key=str(server.folder / "user"),
            log=server.folder / "sshd.log",
        )
