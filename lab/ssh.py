"""The lab's own access to a VM: the project's strict options, with the lab's key and a pinned host key.

It deliberately shares no connection: VMs here lose power, freeze and reboot under it.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transport.answer import Completed
from transport.options import STRICT, quoted

# Where a VM differs from a host (transport/options.py, STRICT).
OF_A_LAB = {
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "RequestTTY": "auto",  # `hft lab ssh` is a shell for a person
    "ServerAliveInterval": "15",  # an emulated machine may stand still for as long
    "ServerAliveCountMax": "4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach one VM."""

    port: int
    key: Path
    known_hosts: Path
    connect_timeout_s: int = 20

    def argv(self) -> list[str]:
        """The ssh command up to and including the host."""
        options = {**STRICT, **OF_A_LAB, "ConnectTimeout": str(self.connect_timeout_s)}
        options["UserKnownHostsFile"] = quoted(str(self.known_hosts))
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-p", str(self.port), "-i", str(self.key), *flags, "root@127.0.0.1"]


def run(login: Login, argv: Sequence[str], *, stdin: bytes, timeout_s: float) -> Completed:
    """Run ARGV in the VM; returncode 255 with ssh's message if the VM was not reached or the time was up."""
    command = [*login.argv(), "--", shlex.join(argv)]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Completed(returncode=255, stdout="", stderr=f"no answer within {timeout_s:.0f} s")
    return Completed(
        returncode=done.returncode,
        stdout=done.stdout.decode(errors="replace"),
        stderr=done.stderr.decode(errors="replace"),
    )


def banner_is_there(port: int, timeout_s: float) -> bool:
    """Whether an SSH server sends its banner on PORT: far cheaper than a login. Connecting alone proves
    nothing, since QEMU accepts on behalf of the guest."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
