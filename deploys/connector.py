"""pyinfra connector `@hft/NAME`: SSH with a pinned host key, no Nagle stall, a deadline, counted round trips.

pyinfra's own SSH connector leaves TCP_NODELAY off, which costs about 40 ms for every command, accepts unknown
host keys by default, has no deadline unless an operation asks for one, and leaves its connection open after
the run. This one differs in exactly that. The host key comes from the inventory and is the only one accepted;
there is no file to edit and nothing to learn on first contact. `round_trips` counts every command and file
transfer, which is how a test holds the budget of two for a host that needs no change.

Output is data from a machine that may be broken: it is cut at a size (deploys/ssh.py has the same cap).
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.kex_curve25519 import KexCurve25519
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.base import DataMeta
from pyinfra.connectors.ssh import ConnectorData, SSHConnector, connector_data_meta
from pyinfra.connectors.ssh_util import get_private_key
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host
from typing_extensions import Unpack, override

from deploys.ssh import CONNECT_TIMEOUT_S, OUTPUT_CAP
from deploys.text import printable

if TYPE_CHECKING:
    from pyinfra.api.arguments import ConnectorArguments

DEADLINE_S = 120.0
KEEPALIVE_S = 5
_CHUNK = 65536


class _Transport(paramiko.Transport):
    """paramiko knows this key exchange by its older name only; hardened hosts offer that of RFC 8731."""

    _BASE: Any = paramiko.Transport  # its typing stubs leave both tables out
    _preferred_kex = ("curve25519-sha256", *_BASE._preferred_kex)
    _kex_info = {**_BASE._kex_info, "curve25519-sha256": KexCurve25519}


class HftConnectorData(ConnectorData):
    """The data of pyinfra's SSH connector, plus the inventory's own record of the host."""

    hft_host: dict[str, Any]


class HftConnector(SSHConnector):
    """`@hft/engine-1`: data comes from the inventory (see inventory/lab.py)."""

    data_cls: type[Any] = HftConnectorData
    data_meta = {**connector_data_meta, "hft_host": DataMeta("The host as the inventory wrote it")}
    data: HftConnectorData
    client: paramiko.SSHClient | None  # type: ignore[assignment]  # paramiko's own: it reads no ssh_config
    round_trips: int = 0

    @override
    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {"ssh_hostname": name}, []

    @override
    def _connect(self) -> None:
        address, port = self.data["ssh_hostname"], int(self.data["ssh_port"] or 22)
        key = self._pinned_key()
        raw = socket.create_connection((address, port), timeout=self._timeout_s())
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.get_host_keys().add(address if port == 22 else f"[{address}]:{port}", key.get_name(), key)
        try:
            client.connect(address, port, sock=raw, transport_factory=_Transport, **self._login())
        except paramiko.BadHostKeyException as error:
            raw.close()
            raise ConnectError(
                f"{self.host.name}: {address} port {port} does not show the host key of the inventory; "
                f"if the machine was re-imaged run: hft host enrol {self.host.name} --fingerprint SHA256:..."
            ) from error
        except Exception:
            raw.close()
            raise
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_S)
        self.client = client

    def _login(self) -> dict[str, Any]:
        key_file, password = self.data["ssh_key"], self.data["ssh_key_password"]
        return {
            "username": self.data["ssh_user"] or "root",
            "pkey": get_private_key(self.state, key_file, password) if key_file else None,
            "allow_agent": not key_file,
            "look_for_keys": False,
            **dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), self._timeout_s()),
        }

    def _timeout_s(self) -> float:
        return CONNECT_TIMEOUT_S * float((self.data["hft_host"] or {}).get("patience", 1.0))

    def _pinned_key(self) -> paramiko.PKey:
        identity = (self.data["hft_host"] or {}).get("identity") or {}
        try:
            words = identity["host_keys"][0].split()
            return paramiko.PKey.from_type_string(words[0], base64.b64decode(words[1]))
        except (KeyError, IndexError, ValueError, paramiko.SSHException) as error:
            raise ConnectError(
                f"{self.host.name}: no usable host key in the inventory, so nothing was sent; "
                f"run: hft host enrol {self.host.name} --fingerprint SHA256:..."
            ) from error

    @override
    def disconnect(self) -> None:
        """Really close: the stock connector only forgets its SFTP channel."""
        super().disconnect()
        if self.client is not None:
            self.client.close()
            self.client = None

    @override
    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Unpack[ConnectorArguments],
    ) -> tuple[bool, CommandOutput]:
        """One command on a channel of its own, with a deadline whether or not the caller gave one."""
        timeout = float(arguments.pop("_timeout", 0) or DEADLINE_S)
        stdin = _as_bytes(arguments.pop("_stdin", None))
        accepted = arguments.pop("_success_exit_codes", None) or [0]
        arguments.pop("_get_pty", None)
        text = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            self.host.log(f">>> {text}")
        self.round_trips += 1
        status, stdout, stderr = self._exchange(text.get_raw_value(), stdin, timeout)
        lines = [OutputLine("stdout", line) for line in _lines(stdout)]
        lines += [OutputLine("stderr", printable(line)) for line in _lines(stderr)]
        if print_output:
            for line in lines:
                self.host.log(printable(line.line))
        return status in accepted, CommandOutput(lines)

    def _exchange(self, command: str, stdin: bytes, timeout: float) -> tuple[int, str, str]:
        assert self.client is not None, "not connected"
        transport = self.client.get_transport()
        assert transport is not None, "not connected"
        deadline = time.monotonic() + timeout
        channel = transport.open_session(timeout=timeout)
        try:
            channel.settimeout(timeout)
            channel.exec_command(command)
            _send(channel, stdin)
            # One after the other is enough: what waits unread is bounded by the channel's window.
            stdout = self._drain(channel, channel.recv, deadline)
            stderr = self._drain(channel, channel.recv_stderr, deadline)
            if not channel.status_event.wait(max(0.1, deadline - time.monotonic())):
                raise TimeoutError(f"{self.host.name}: no exit code within {timeout:.0f} s")
            return channel.recv_exit_status(), stdout, stderr
        finally:
            channel.close()

    def _drain(self, channel: paramiko.Channel, receive: Callable[[int], bytes], deadline: float) -> str:
        got = bytearray()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self.host.name}: no answer within its deadline")
            channel.settimeout(left)
            chunk = receive(_CHUNK)
            if not chunk:
                return got.decode("utf-8", errors="replace")
            got += chunk
            if len(got) > OUTPUT_CAP:
                raise OSError(f"{self.host.name}: sent more than {OUTPUT_CAP >> 20} MiB; the channel was cut")

    @override
    def _put_file(self, filename_or_io: Any, remote_location: str) -> None:
        self.round_trips += 1
        super()._put_file(filename_or_io, remote_location)  # type: ignore[no-untyped-call]

    @override
    def _get_file(self, remote_filename: str, filename_or_io: Any) -> None:
        self.round_trips += 1
        super()._get_file(remote_filename, filename_or_io)


def _send(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except OSError:
        if not channel.closed and not channel.eof_received:
            raise  # otherwise the remote program stopped reading, and its exit code tells why


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
            return bytes(stdin.read())  # type: ignore[attr-defined]  # pyinfra's third form: an open binary file
