"""The one set of OpenSSH options, ssh_config(5), under every connection that this project opens.

Everything that could make the client lenient is off: no user configuration, no password, no other key of an
agent than the one that is named, no forwarding, and the only acceptable host key is the one in the
inventory, looked up under the host's inventory name (HostKeyAlias), so that a moved port or address changes
nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transport.known_hosts import known_hosts_file

CONNECT_TIMEOUT_S = 10
STRICT: Mapping[str, str] = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "CheckHostIP": "no",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "PreferredAuthentications": "publickey",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RequestTTY": "no",
    "ConnectionAttempts": "1",
    "TCPKeepAlive": "yes",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "no",
    "ControlPath": "none",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One sshd: where it listens, who logs in, and the only host keys it may show."""

    name: str
    address: str
    port: int
    user: str
    host_keys: tuple[str, ...]
    ssh_key: str | None = None


def ssh_argv(
    to: Destination,
    *,
    via: Destination | None = None,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    control_path: str | None = None,
    sign: Path | None = None,
) -> list[str]:
    """The local command line up to the remote command; VIA is a jump host, held to the same rules.

    SIGN is a file that is made when the login is through.
    """
    options = {**STRICT, "ConnectTimeout": str(connect_timeout_s), **_identity(to)}
    if control_path is not None:
        options |= {"ControlMaster": "auto", "ControlPersist": "60", "ControlPath": f'"{control_path}"'}
    if sign is not None:  # one line for the user's own shell, whatever that is
        made = f": > {shlex.quote(str(sign))}".replace("%", "%%")
        options |= {"PermitLocalCommand": "yes", "LocalCommand": made}
    if via is not None:
        # ProxyJump would reach the jump host with the user's options and known_hosts; this has ours.
        to_hop = {**STRICT, "ConnectTimeout": str(connect_timeout_s), **_identity(via)}
        hop = shlex.join(_argv(via, to_hop, "-W", f"[{to.address}]:{to.port}"))
        options["ProxyCommand"] = hop.replace("%", "%%")  # it has tokens of its own
    return _argv(to, options)


def _identity(to: Destination) -> dict[str, str]:
    options = {
        "HostKeyAlias": to.name,
        "UserKnownHostsFile": quoted(str(known_hosts_file(to.name, to.host_keys))),
    }
    if to.ssh_key is None:
        return options
    return options | {"IdentityFile": quoted(to.ssh_key), "IdentitiesOnly": "yes"}


def _argv(to: Destination, options: Mapping[str, str], *more: str) -> list[str]:
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["ssh", "-F", "none", *flags, *more, "-p", str(to.port), "-l", to.user, "--", to.address]


def quoted(path: str) -> str:
    """A path as ssh_config(5) reads it: one word with blanks, its percent signs no tokens."""
    return f'"{path.replace("%", "%%")}"'
