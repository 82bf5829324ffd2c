"""One strict OpenSSH call: a new TCP connection, one remote command, a deadline, a cap on what comes back.

OpenSSH itself and not a library, for three reasons: a trial boot is confirmed only by *new* TCP connections
(a multiplexed one proves that an old socket lives), its host key rules are the ones operators know, and it
does not care which event loop the caller runs. Everything that could make it lenient is off: no user
configuration, no agent, no forwarding, no password, and the only acceptable host key is the one in the
inventory, looked up under the host's inventory name (HostKeyAlias, ssh_config(5)) so that a moved port or
address changes nothing.

What a host prints is data from a machine that may be broken or hostile: it is cut at a size, decoded
leniently, and must go through `printable` before it reaches a terminal.
"""

from __future__ import annotations

import math
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Protocol

from deploys.errors import DeployError, SlowError, UnreachableError
from deploys.known_hosts import known_hosts_file
from deploys.text import printable

CONNECT_TIMEOUT_S = 10
OUTPUT_CAP = 8 * 1024 * 1024
_CHUNK = 65536
_SSH_FAILED = 255  # ssh(1): "255 if an error occurred"; none of our remote programs exits with it


class Reachable(Protocol):
    """What this module needs to know of an inventory host."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def ssh_port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def host_key(self) -> str | None: ...
    @property
    def ssh_key(self) -> str | None: ...
    @property
    def patience(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What one remote command left: `stdout` and `stderr` are lenient UTF-8, unfiltered (see `printable`)."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """How to reach one host; every `run` is a connection of its own unless `control_path` is given."""

    name: str
    address: str
    port: int
    user: str
    host_key: str
    ssh_key: str | None = None
    control_path: str | None = None
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    patience: float = 1.0  # of a host that is slower than bare metal: every deadline is longer by it

    @classmethod
    def of(cls, host: Reachable, *, control_path: str | None = None) -> Ssh:
        """The transport to an inventory host; a host without a pinned key is refused, never trusted."""
        if not host.host_key:
            raise UnreachableError(
                f"{host.name}: no host key in the inventory, so nothing was sent; "
                f"run: hft host enrol {host.name} --fingerprint SHA256:..."
            )
        return cls(
            name=host.name,
            address=host.address,
            port=host.ssh_port,
            user=host.user,
            host_key=host.host_key,
            ssh_key=str(host.ssh_key) if host.ssh_key else None,
            control_path=control_path,
            connect_timeout_s=math.ceil(CONNECT_TIMEOUT_S * host.patience),
            patience=host.patience,
        )

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The complete local command line; the remote words are quoted for the remote shell."""
        options = dict(_STRICT)
        options["ConnectTimeout"] = str(self.connect_timeout_s)
        options["HostKeyAlias"] = self.name
        options["UserKnownHostsFile"] = f'"{known_hosts_file({self.name: self.host_key})}"'
        if self.ssh_key is not None:
            options |= {"IdentityFile": f'"{self.ssh_key}"', "IdentitiesOnly": "yes", "IdentityAgent": "none"}
        if self.control_path is not None:
            options |= {
                "ControlMaster": "auto",
                "ControlPersist": "60",
                "ControlPath": f'"{self.control_path}"',
            }
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        destination = ["-p", str(self.port), "-l", self.user, "--", self.address]
        return ["ssh", "-F", "none", "-T", *flags, *destination, shlex.join(remote)]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float) -> Completed:
        """Run one remote command; SlowError when there is no answer within `timeout_s` times the patience.

        The deadline ends the local side only: a remote command that must not outlive it brings its own
        timeout.
        """
        timeout_s *= self.patience
        child = subprocess.Popen(
            self.argv(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches us, and we end the child: one order of events, not two
        )
        _RUNNING.add(child)
        with child:
            try:
                exchange = _Exchange(self.name, child, stdin, time.monotonic() + timeout_s)
                exchange.pump()
                child.wait(timeout=max(0.1, exchange.deadline - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                raise SlowError(
                    f"{self.name}: no answer from {self.address} port {self.port} within {timeout_s:.0f} s"
                ) from error
            finally:
                if child.poll() is None:
                    child.kill()
                _RUNNING.discard(child)
        return self._completed(child.returncode, exchange)

    def _completed(self, returncode: int, exchange: _Exchange) -> Completed:
        stdout, stderr = exchange.text("stdout"), exchange.text("stderr")
        if returncode == _SSH_FAILED:
            raise UnreachableError(self._why(stderr))
        return Completed(returncode=returncode, stdout=stdout, stderr=stderr)

    def _why(self, stderr: str) -> str:
        where = f"{self.name}: cannot reach {self.address} port {self.port}"
        if "HOST IDENTIFICATION HAS CHANGED" in stderr or "Host key verification failed" in stderr:
            return (
                f"{where}: it does not show the host key of the inventory, so nothing was sent; "
                f"if the machine was re-imaged run: hft host enrol {self.name} --fingerprint SHA256:..."
            )
        lines = [line for line in stderr.splitlines() if line.strip()]
        return f"{where}: {printable(lines[-1]) if lines else 'ssh gave no reason'}"


_RUNNING: set[subprocess.Popen[bytes]] = set()


def stop_running() -> None:
    """End every call in flight at once, whichever thread waits for it: what Ctrl-C means here."""
    for child in tuple(_RUNNING):
        child.kill()


_STRICT: dict[str, str] = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "PreferredAuthentications": "publickey",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ConnectionAttempts": "1",
    "TCPKeepAlive": "yes",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "no",
    "ControlPath": "none",
    "LogLevel": "ERROR",
}


@dataclass(slots=True)
class _Exchange:
    """Feeds standard input and drains both outputs at once, within a deadline and a size."""

    host: str
    child: subprocess.Popen[bytes]
    stdin: bytes
    deadline: float
    got: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})

    def pump(self) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        os.set_blocking(self.child.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ, "stdout")
            selector.register(self.child.stderr, selectors.EVENT_READ, "stderr")
            selector.register(self.child.stdin, selectors.EVENT_WRITE, "stdin")
            while selector.get_map():
                left = self.deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                for key, _ in selector.select(left):
                    stream = key.fileobj
                    assert not isinstance(stream, int)
                    done = self._feed() if key.data == "stdin" else self._drain(key.fd, key.data)
                    if done:
                        selector.unregister(stream)
                        _close(stream)  # type: ignore[arg-type]  # the three pipes registered above

    def _feed(self) -> bool:
        assert self.child.stdin is not None
        if self.stdin:
            try:
                sent = os.write(self.child.stdin.fileno(), self.stdin[:_CHUNK])
            except BlockingIOError:
                return False
            except BrokenPipeError:
                return True  # the remote side stopped reading; its exit code tells why
            self.stdin = self.stdin[sent:]
        return not self.stdin

    def _drain(self, descriptor: int, name: str) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        self.got[name] += chunk
        if len(self.got[name]) > OUTPUT_CAP:
            raise DeployError(
                f"{self.host}: sent more than {OUTPUT_CAP // 1024 // 1024} MiB where a short answer was due; "
                f"the connection was cut"
            )
        return not chunk

    def text(self, name: str) -> str:
        return self.got[name].decode("utf-8", errors="replace")


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # the peer closed first; there is nothing left to flush
