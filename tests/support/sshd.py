"""A throwaway sshd on loopback: the real thing for everything that claims to speak SSH."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.keys import make_key, public
from tests.support.ports import free_port

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A running one; `folder` holds the key pairs `host` and `user`, and `sshd.log`."""

    folder: Path
    port: int
    host_key: str


@contextmanager
def running_sshd(folder: Path, more: str = "", before: Callable[[], None] = lambda: None) -> Iterator[Sshd]:
    """One that lets the key `user` in; MORE is of its configuration; BEFORE finds its keys made."""
    needs.skip_without("sshd", "ssh-keygen")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o700)
    for name in ("host", "user"):
        make_key(folder / name)
    before()
    port, config = free_port(), folder / "sshd_config"
    config.write_text(CONFIG.format(port=port, folder=folder) + more)
    argv = [needs.found("sshd") or "sshd", "-D", "-f", str(config), "-E", str(folder / "sshd.log")]
    daemon = subprocess.Popen(argv)
    try:
        wait_listening(port, daemon)
        yield Sshd(folder=folder, port=port, host_key=public(folder / "host"))
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)


def wait_listening(port: int, daemon: subprocess.Popen[bytes]) -> None:
    """Until it takes connections."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert daemon.poll() is None, "sshd ended at once"
        time.sleep(0.05)
    pytest.fail("sshd did not listen within 5 s")
