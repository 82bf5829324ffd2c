"""The way to a host: testinfra's host object over the project's one SSH client, one connection a host.

testinfra's own ssh backend checks no host key, opens a connection per command and has neither deadline nor
standard input. Here it runs what transport/ssh.py runs for every other verb: pinned host key, jump host,
deadlines, caps; a ControlPath lets all commands of a host share one connection.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import testinfra.host
from testinfra.backend.base import BaseBackend, CommandResult

from checks.errors import CheckError
from inventory.model import Host
from transport.answer import Completed
from transport.errors import FloodError
from transport.ssh import Ssh

SOCKET_PATH_MAX = 60  # sun_path holds 108 bytes, and ssh appends its own suffix while it listens


class StrictSsh(BaseBackend):  # type: ignore[misc] # testinfra carries no types
    """testinfra's backend with a deadline, standard input and a count of round trips."""

    NAME = "ssh"

    def __init__(self, host: Host, folder: str) -> None:
        super().__init__(host.name)
        self.ssh = Ssh.of(host, control_path=f"{folder}/%C")
        self.timeout_s: float = 60
        self.stdin: bytes = b""
        self.calls = 0

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """One remote command line; raises the HostError that says why there is no answer."""
        self.calls += 1
        line = self.quote(command, *args)
        done = self.ssh.run_line(line, stdin=self.stdin, timeout_s=self.timeout_s)
        return self.result(done.returncode, self.encode(line), done.stdout.encode(), done.stderr.encode())


class Connection:
    """One host, reachable over one connection; `host` is testinfra's own object for anything else."""

    def __init__(self, host: Host, folder: str) -> None:
        self.inventory_host = host
        self._backend = StrictSsh(host, folder)
        self.host = testinfra.host.Host(self._backend)
        self._backend.set_host(self.host)

    @property
    def calls(self) -> int:
        """The number of remote commands so far."""
        return self._backend.calls

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, frame: str = "") -> str:
        """Run one remote command as root and return its standard output; CheckError when it fails.

        An answer without FRAME, which the command prints first, is a host on which nothing ran.
        """
        words = self._backend.ssh.as_root(argv)
        self._backend.stdin, self._backend.timeout_s = stdin, timeout_s
        try:
            done = self._backend.run(shlex.join(words))
        except FloodError as error:
            raise CheckError(str(error)) from error
        finally:
            self._backend.stdin = b""
        name = self.inventory_host.name
        answer = Completed(
            returncode=done.exit_status,
            stdout=bytes(done.stdout_bytes).decode("utf-8", "replace"),
            stderr=bytes(done.stderr_bytes).decode("utf-8", "replace"),
        )
        if frame not in answer.stdout:
            raise answer.not_run(name)
        if answer.returncode != 0:
            raise CheckError(f"{name}: {words[0]} exited {answer.returncode}: {answer.last_words}")
        return answer.stdout

    def close(self) -> None:
        """End the shared connection, if one was opened."""
        if self.calls:
            self._backend.ssh.close()


@contextmanager
def open_links(hosts: Sequence[Host]) -> Iterator[dict[str, Connection]]:
    """A link per enrolled host; connections are closed and the private directory is gone afterwards."""
    parent = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="hft-",
        dir=parent if len(parent) < SOCKET_PATH_MAX - 12 else "/tmp",  # noqa: S108  # made 0700
    ) as folder:
        links = {host.name: Connection(host, folder) for host in hosts if host.identity is not None}
        try:
            yield links
        finally:
            for link in links.values():
                link.close()
