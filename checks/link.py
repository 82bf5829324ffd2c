"""The way to a host: testinfra over `ssh://`, made strict and made to share one connection.

testinfra's own default checks no host key, and its ssh backend opens a connection per command. Here an
ssh_config is generated from the inventory in a private directory: the pinned key is the only one accepted
(under the host's inventory name), nothing of the user's configuration takes part, and a ControlPath lets
all commands of a host share one connection. testinfra's backend has neither deadline nor standard input;
this one has both.
"""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import testinfra.host
from testinfra.backend.base import CommandResult
from testinfra.backend.ssh import SshBackend

from checks.bounded import run_bounded
from checks.errors import CheckError, SlowError, UnreachableError
from inventory.identity import known_hosts_text
from inventory.model import Host, Site

CONNECT_TIMEOUT_S = 20
SSH_FAILED = 255
SOCKET_PATH_MAX = 60  # sun_path holds 108 bytes, and ssh appends its own suffix while it listens


class StrictSsh(SshBackend):  # type: ignore[misc] # testinfra carries no types
    """testinfra's ssh backend with a deadline, standard input and a count of round trips."""

    NAME = "ssh"

    def __init__(self, host: Host, config: Path) -> None:
        timeout_s = math.ceil(CONNECT_TIMEOUT_S * host.patience)
        super().__init__(host.name, ssh_config=str(config), timeout=timeout_s, controlpersist=0)
        self.inventory_host = host
        self.deadline_s: float = 60
        self.stdin: bytes = b""
        self.calls = 0

    def run_local(self, command: str, *args: str) -> CommandResult:
        """Run the ssh command line that the base class builds; no answer in time ends the local side."""
        line = self.quote(command, *args)
        self.calls += 1
        try:
            argv = ["/bin/sh", "-c", f"exec {line}"]
            code, out, err = run_bounded(argv, stdin=self.stdin, timeout_s=self.deadline_s)
        except subprocess.TimeoutExpired as error:
            name = self.inventory_host.name
            raise SlowError(f"{name}: no answer within {self.deadline_s:.0f} s") from error
        return self.result(code, self.encode(line), out, err)


class Link:
    """One host, reachable over one connection; `host` is testinfra's own object for anything else."""

    def __init__(self, host: Host, config: Path) -> None:
        self.inventory_host = host
        self._backend = StrictSsh(host, config)
        self.host = testinfra.host.Host(self._backend)
        self._backend.set_host(self.host)

    @property
    def calls(self) -> int:
        """How many remote commands were run."""
        return self._backend.calls

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float) -> str:
        """Run one remote command as root and return its standard output; CheckError when it fails."""
        name, words = self.inventory_host.name, list(argv)
        if self.inventory_host.user != "root":
            words = ["sudo", "-n", "--", *words]
        self._backend.stdin = stdin
        self._backend.deadline_s = timeout_s * self.inventory_host.patience
        try:
            done = self._backend.run(shlex.join(words))
        except RuntimeError as error:  # testinfra's word for ssh's own exit code 255
            raise UnreachableError(f"{name}: {_last_line(error.args[0])}") from error
        finally:
            self._backend.stdin = b""
        if done.exit_status != 0:
            raise CheckError(f"{name}: {words[0]} exited {done.exit_status}: {_last_line(done)}")
        return bytes(done.stdout_bytes).decode("utf-8", "replace")


def _last_line(done: Any) -> str:
    text = bytes(done.stderr_bytes).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next(
        (line for line in lines if "HOST IDENTIFICATION" in line or "verification failed" in line), ""
    )
    printable = "".join(
        c if c.isprintable() else "?" for c in (said or (lines[-1] if lines else "no reason given"))
    )
    return printable[:300]


@contextmanager
def open_links(site: Site, hosts: Sequence[Host]) -> Iterator[dict[str, Link]]:
    """A link per enrolled host; connections are closed and the private directory is gone afterwards."""
    parent = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="hft-",
        dir=parent if len(parent) < SOCKET_PATH_MAX - 12 else "/tmp",  # noqa: S108  # made 0700
    ) as folder:
        config = write_config(Path(folder), site, hosts)
        links = {host.name: Link(host, config) for host in hosts if host.identity is not None}
        try:
            yield links
        finally:
            for name, link in links.items():
                if link.calls:
                    argv = ["ssh", "-F", str(config), "-O", "exit", name]
                    subprocess.run(argv, capture_output=True, check=False, timeout=10)


def write_config(folder: Path, site: Site, hosts: Sequence[Host]) -> Path:
    """ssh_config(5) and known_hosts for these hosts, readable by nobody else."""
    known = folder / "known_hosts"
    known.write_text(known_hosts_text(site))
    config = folder / "config"
    config.write_text("".join(_stanza(host, folder, known) for host in hosts))
    for path in (known, config):
        path.chmod(0o600)
    return config


def _stanza(host: Host, folder: Path, known: Path) -> str:
    options = {
        "HostName": host.address,
        "HostKeyAlias": host.name,
        "Port": str(host.ssh_port),
        "User": host.user,
        "UserKnownHostsFile": f'"{known}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        "BatchMode": "yes",
        "PreferredAuthentications": "publickey",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RequestTTY": "no",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "ControlMaster": "auto",
        "ControlPersist": "60",
        "ControlPath": f'"{folder}/%C"',
    }
    if host.ssh_key is not None:
        options |= {"IdentityFile": f'"{Path(host.ssh_key).expanduser()}"', "IdentitiesOnly": "yes"}
        options |= {"IdentityAgent": "none"} if "SSH_AUTH_SOCK" in os.environ else {}
    return "\n".join([f"Host {host.name}", *(f"  {key} {value}" for key, value in options.items())]) + "\n"
