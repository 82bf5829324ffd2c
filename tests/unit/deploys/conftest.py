"""A throwaway sshd on loopback: the real thing for everything that claims to speak SSH."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

import pytest

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One loopback host as the inventory would describe it."""

    name: str
    address: str
    ssh_port: int
    user: str
    host_key: str | None
    ssh_key: str | None
    log: Path
    patience: float = 1.0

    def connections(self) -> int:
        """TCP connections that logged in so far, from sshd's own log."""
        return self.log.read_text().count("Accepted publickey")

    def commands(self) -> int:
        """Remote commands and subsystems started so far: round trips as the target saw them."""
        return self.log.read_text().count("Starting session:")


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if not Path(SSHD).exists():
        pytest.skip(f"{SSHD} is not installed")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path_factory.mktemp("sshd")
    folder.chmod(0o700)
    host_key, user_key = make_key(folder / "host"), make_key(folder / "user")
    (folder / "authorized_keys").write_text(user_key + "\n")
    port, log = free_port(), folder / "sshd.log"
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nLogLevel VERBOSE\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
        "KexAlgorithms curve25519-sha256\n"  # what a hardened host offers
    )
    server = subprocess.Popen([SSHD, "-D", "-f", str(config), "-E", str(log)])
    try:
        wait_listening(port, server)
        yield Target(
            name="target",
            address="127.0.0.1",
            ssh_port=port,
            user=getuser(),
            host_key=host_key,
            ssh_key=str(folder / "user"),
            log=log,
        )
    finally:
        server.terminate()
        server.wait(timeout=10)


def wait_listening(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "sshd ended at once"
        time.sleep(0.05)
    pytest.fail("sshd did not listen within 5 s")
