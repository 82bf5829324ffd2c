"""One strict OpenSSH call: a new TCP connection, one remote command, a deadline, a cap on what comes back.

OpenSSH itself and not a library, for three reasons: a trial boot is confirmed only by *new* TCP connections
(a multiplexed one proves that an old socket lives), its host key rules are the ones operators know, and it
does not care which event loop the caller runs. The options are those of transport/options.py, for everybody.

What a host prints is decoded leniently and must go through `printable` before it reaches a terminal.
"""

from __future__ import annotations

import math
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from transport.answer import Completed
from transport.child import OUTPUT_CAP, Begin, LateError, TooMuchOutputError, run_bounded
from transport.errors import (
    ControllerError,
    FloodError,
    HostError,
    NotEnrolledError,
    SlowError,
    UnreachableError,
)
from transport.hint import enrol
from transport.login_shell import for_any_shell
from transport.options import CONNECT_TIMEOUT_S, Destination, ssh_argv
from transport.sanitize import printable
from transport.trace import LINE_MAX, Asked, trace

_SSH_FAILED = 255  # ssh(1): "255 if an error occurred"; none of our remote programs exits with it
_CLOSE_TIMEOUT_S = 10
# What sshd(8) gives root's commands on Debian, and nothing that the caller's shell has set.
_HERE = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c")


class Hop(Protocol):
    """What this module needs to know of an sshd on the way."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def ssh_port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def host_keys(self) -> tuple[str, ...]: ...
    @property
    def ssh_key(self) -> str | None: ...


class Reachable(Hop, Protocol):
    """What this module needs to know of an inventory host."""

    @property
    def is_here(self) -> bool: ...
    @property
    def jump(self) -> Hop | None: ...
    @property
    def patience(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """How to reach one host; every `run` is a connection of its own unless `control_path` is given.

    The host that is HERE is this machine: sh(1) runs the line with a clean environment, as it would for a
    login, under the same deadlines and caps, and nothing goes over a network.
    """

    to: Destination
    via: Destination | None = None
    control_path: str | None = None
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    patience: float = 1.0  # of a host that is slower than bare metal: every deadline is longer by it
    here: bool = False

    @classmethod
    def of(cls, host: Reachable, *, control_path: str | None = None) -> Ssh:
        """The way to an inventory host or jump host; one without a pinned key is refused, never trusted."""
        if host.is_here:
            to = Destination(name=host.name, address="this machine", port=0, user=host.user, host_keys=())
            return cls(to=to, patience=host.patience, here=True)
        return cls(
            to=_destination(host),
            via=_destination(host.jump) if host.jump is not None else None,
            control_path=control_path,
            connect_timeout_s=math.ceil(CONNECT_TIMEOUT_S * host.patience),
            patience=host.patience,
        )

    @property
    def name(self) -> str:
        """The host's inventory name."""
        return self.to.name

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The complete local command line; the remote words are quoted for the remote shell."""
        return self._line(shlex.join(remote))

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, login_s: float | None = None
    ) -> Completed:
        """Run one remote command; SlowError when there is no answer within `timeout_s` times the patience.

        With LOGIN_S the way in has a time of its own, and `timeout_s` is for the answer alone. The deadline
        ends the local side only: a remote command that must not outlive it brings its own timeout.
        UnreachableError, FloodError: see transport/errors.py.
        """
        return self.run_line(shlex.join(argv), stdin=stdin, timeout_s=timeout_s, login_s=login_s)

    def run_script(
        self, script: str, *args: str, timeout_s: float, login_s: float | None = None
    ) -> Completed:
        """Run a POSIX shell script as root; it is sent on standard input, so no login shell reads it."""
        argv = self.as_root(["sh", "-s", "--", *args])
        return self.run(argv, stdin=script.encode(), timeout_s=timeout_s, login_s=login_s)

    def run_line(
        self, line: str, *, stdin: bytes = b"", timeout_s: float, login_s: float | None = None
    ) -> Completed:
        """The same for one line of sh(1)."""
        began, ended, came = time.monotonic(), "interrupted", 0
        try:
            done = self._run(line, stdin, timeout_s, login_s)
            ended, came = f"exit {done.returncode}", len(done.stdout) + len(done.stderr)
        except HostError as error:
            ended = error.message
            raise
        finally:
            trace(
                Asked(
                    host=self.name,
                    where=self._where,
                    line=printable(" ".join(line.split()), limit=LINE_MAX),
                    sent=len(stdin),
                    came=came,
                    seconds=time.monotonic() - began,
                    ended=printable(" ".join(ended.split()), limit=LINE_MAX),
                )
            )
        return done

    def _run(self, line: str, stdin: bytes, timeout_s: float, login_s: float | None) -> Completed:
        timeout_s *= self.patience
        login_s = None if self.here else login_s
        try:
            with _login(login_s) as begin:
                argv = self._line(line, begin.sign if begin else None)
                done = run_bounded(argv, stdin=stdin, timeout_s=timeout_s, begin=begin)
        except LateError as error:
            if login_s is None:
                said = f"no answer from {self._where} within {timeout_s:g} s"
                raise SlowError(self.name, said, has_begun=None, is_connected=None) from error
            # Behind a jump host it was that one who took the connection, which says nothing of the host.
            connected = error.has_begun or (error.is_connected and self.via is None)
            said = _late(self._where, timeout_s, login_s, begun=error.has_begun, connected=connected)
            raise SlowError(self.name, said, has_begun=error.has_begun, is_connected=connected) from error
        except OSError as error:
            raise ControllerError(
                self.name, f"{self._program} cannot be started here, so nothing was sent: {error.strerror}"
            ) from error
        except TooMuchOutputError as error:
            said = (
                f"sent more than {OUTPUT_CAP >> 20} MiB where a short answer was due; the connection was cut"
            )
            raise FloodError(self.name, said) from error
        stdout, stderr = (text.decode("utf-8", errors="replace") for text in (done.stdout, done.stderr))
        if done.returncode == _SSH_FAILED and not self.here:
            raise self._unreachable(stderr)
        return Completed(returncode=done.returncode, stdout=stdout, stderr=stderr)

    def as_root(self, argv: Sequence[str]) -> list[str]:
        """The same words, run as root: by sudo(8) without a question where somebody else logs in."""
        return [*argv] if self.to.user == "root" else ["sudo", "-n", "--", *argv]

    def close(self) -> None:
        """End the shared connection, if there is one."""
        if self.control_path is not None:
            way = self._way()
            argv = [*way[:-2], "-O", "exit", *way[-2:]]
            with suppress(subprocess.TimeoutExpired):  # it ends by itself a minute later
                subprocess.run(argv, capture_output=True, check=False, timeout=_CLOSE_TIMEOUT_S)

    def _line(self, line: str, sign: Path | None = None) -> list[str]:
        return [*_HERE, line] if self.here else [*self._way(sign), for_any_shell(line)]

    def _way(self, sign: Path | None = None) -> list[str]:
        return ssh_argv(
            self.to,
            via=self.via,
            connect_timeout_s=self.connect_timeout_s,
            control_path=self.control_path,
            sign=sign,
        )

    @property
    def _program(self) -> str:
        return _HERE[0] if self.here else "ssh"

    @property
    def _where(self) -> str:
        return self.to.address if self.here else f"{self.to.address} port {self.to.port}"

    @property
    def _who(self) -> str:
        return "it" if self.via is None else f"it, or {self.via.name} on the way,"

    def _unreachable(self, stderr: str) -> UnreachableError:
        cannot = f"cannot reach {self._where}"
        if "HOST IDENTIFICATION HAS CHANGED" in stderr or "Host key verification failed" in stderr:
            return UnreachableError(
                self.name,
                f"{cannot}: {self._who} presents a host key other than the enrolled one, so nothing was sent",
                hint=f"if the machine was re-imaged run: {enrol(self.name)}",
            )
        lines = [line for line in stderr.splitlines() if line.strip()]
        return UnreachableError(
            self.name, f"{cannot}: {printable(lines[-1]) if lines else 'ssh gave no reason'}"
        )


@contextmanager
def _login(timeout_s: float | None) -> Iterator[Begin | None]:
    """What says that the way in is through, where it has a time of its own."""
    if timeout_s is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hft-") as folder:
        yield Begin(sign=Path(folder) / "in", timeout_s=timeout_s)


def _late(where: str, timeout_s: float, login_s: float, *, begun: bool, connected: bool) -> str:
    if not connected:
        return f"no answer from {where} within {login_s:g} s"
    if not begun:
        return f"{where} took the connection, and let nobody in within {login_s:g} s"
    return f"{where} let us in, and did not answer within {timeout_s:g} s"


def _destination(hop: Hop) -> Destination:
    if not hop.host_keys:
        raise NotEnrolledError(hop.name, "not enrolled, so nothing was sent", hint=f"run: {enrol(hop.name)}")
    return Destination(
        name=hop.name,
        address=hop.address,
        port=hop.ssh_port,
        user=hop.user,
        host_keys=hop.host_keys,
        ssh_key=hop.ssh_key,
    )
