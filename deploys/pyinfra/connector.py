"""pyinfra connector `@hft/NAME`: the project's one SSH client (transport/ssh.py), counted round trips.

Options, pinned host key, jump host, deadlines and caps are those of every other verb; all commands of a
host share one connection (ControlMaster, ssh_config(5)), which is closed with the run. The host comes from
the inventory: `hft_changes` when `hft` hands on what it decided, else `hft_host`. `round_trips` counts
every command and file transfer, which is how a test holds the budget of a host that needs no change.
"""

from __future__ import annotations

import base64
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host
from typing_extensions import Unpack, override

from inventory.model import Host
from transport.answer import Completed
from transport.errors import HostError
from transport.sanitize import printable
from transport.ssh import Ssh

if TYPE_CHECKING:
    from pyinfra.api.arguments import ConnectorArguments

DEADLINE_S = 120.0
CONNECT_DEADLINE_S = 30.0


class HftConnector(BaseConnector):
    """`@hft/engine-1`: data comes from the inventory (see inventory/lab.py)."""

    handles_execution = True
    round_trips: int = 0
    _ssh: Ssh | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @override
    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {"ssh_hostname": name}, []

    @override
    def connect(self) -> None:
        """Open the shared connection; for `hft`, which looked at the host a moment ago, its command does."""
        handed = self.host.data.get("hft_changes")
        try:
            described = handed.host if handed is not None else Host.model_validate(self.host.data.hft_host)
            self._folder = tempfile.TemporaryDirectory(prefix="hft-")
            self._ssh = Ssh.of(described, control_path=f"{self._folder.name}/%C")
            if handed is None:
                self._run("true", b"", CONNECT_DEADLINE_S)
        except (HostError, ConnectionError) as error:
            self.disconnect()
            cause = error if isinstance(error, HostError) else error.__cause__
            raise ConnectError(printable(str(error))) from cause

    @override
    def disconnect(self) -> None:
        if self._ssh is not None and self.round_trips:
            self._ssh.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._ssh = self._folder = None

    @override
    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> tuple[bool, CommandOutput]:
        """One command, with a deadline whether or not the caller gave one."""
        timeout_s = float(arguments.pop("_timeout", 0) or DEADLINE_S)
        stdin = _as_bytes(arguments.pop("_stdin", None))
        accepted = arguments.pop("_success_exit_codes", None) or [0]
        arguments.pop("_get_pty", None)
        text = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            self.host.log(f">>> {text}")
        done = self._run(text.get_raw_value(), stdin, timeout_s)
        lines = [OutputLine("stdout", line) for line in _lines(done.stdout)]
        lines += [OutputLine("stderr", printable(line)) for line in _lines(done.stderr)]
        if print_output:
            for line in lines:
                self.host.log(printable(line.line))
        return done.returncode in accepted, CommandOutput(lines)

    @override
    def put_file(
        self,
        filename_or_io: Any,
        remote_filename: str,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> bool:
        """Write a file beside its place and rename it, so that a reader finds the old one or the new one."""
        data = filename_or_io.read() if hasattr(filename_or_io, "read") else Path(filename_or_io).read_bytes()
        place, beside = shlex.quote(remote_filename), shlex.quote(f"{remote_filename}.hft-part")
        line = f"cat >{beside} && mv -f {beside} {place}"
        return self._run(line, _as_bytes(data), DEADLINE_S).returncode == 0

    @override
    def get_file(
        self,
        remote_filename: str,
        filename_or_io: Any,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> bool:
        """Read a file, byte for byte."""
        done = self._run(f"base64 {shlex.quote(remote_filename)}", b"", DEADLINE_S)
        if done.returncode == 0:
            data = base64.b64decode(done.stdout)
            if hasattr(filename_or_io, "write"):
                filename_or_io.write(data)
            else:
                Path(filename_or_io).write_bytes(data)
        return done.returncode == 0

    def _run(self, line: str, stdin: bytes, timeout_s: float) -> Completed:
        assert self._ssh is not None, "not connected"
        self.round_trips += 1
        try:
            return self._ssh.run_line(line, stdin=stdin, timeout_s=timeout_s)
        except HostError as error:
            if self.host.data.get("hft_changes") is not None:
                raise  # `hft` tells what became of the host by the kind of error
            raise ConnectionError(
                printable(str(error))
            ) from error  # pyinfra's own kind: this host alone fails


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _as_bytes(stdin: object) -> bytes:
    match stdin:
        case None:
            return b""
        case bytes():
            return stdin
        case str():
            return stdin.encode()
        case list() | tuple():
            return "".join(f"{line}\n" for line in stdin).encode()
        case _:
            return _as_bytes(stdin.read())  # type: ignore[attr-defined]  # pyinfra's third form: an open file
