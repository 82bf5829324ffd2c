"""Signed heads of a run record, copied to hosts and read back: where those who write the record cannot.

One line is appended to one file on each host over its own SSH connection, and synced before it counts
(sync(1) with a file is fsync(2)). Nothing is replaced: a host keeps every head that it was ever given, so a
record that was cut off or written anew contradicts what lies there. What comes back is verified line by line
by its signature, and a host can at most withhold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inventory.model import Host
from transport.at_once import at_once
from transport.errors import HostError
from transport.sanitize import printable
from transport.ssh import Ssh

HEADS_FILE = "/var/lib/hft/heads.jsonl"
PATIENCE_S = 20.0
_APPEND = 'umask 022; mkdir -p "${1%/*}" && cat >>"$1" && sync "$1"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What became of one host's copy."""

    host: str
    is_kept: bool
    said: str


def copy_head(hosts: Sequence[Host], line: bytes) -> list[Copied]:
    """Append LINE (with its end) on every host at once; a host that is dark costs its own deadline alone."""

    def one(host: Host) -> Copied:
        ssh = Ssh.of(host)
        try:
            done = ssh.run(
                ssh.as_root(["sh", "-c", _APPEND, "sh", HEADS_FILE]), stdin=line, timeout_s=PATIENCE_S
            )
        except HostError as error:
            return Copied(host=host.name, is_kept=False, said=str(error))
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            return Copied(host=host.name, is_kept=False, said=printable(last[0]))
        return Copied(host=host.name, is_kept=True, said=f"appended to {HEADS_FILE}")

    return at_once(one, hosts)


def copies_of(hosts: Sequence[Host]) -> list[tuple[str, bytes | None, str]]:
    """Of every host its name and its heads; None and why, where they cannot be read."""

    def one(host: Host) -> tuple[str, bytes | None, str]:
        ssh = Ssh.of(host)
        try:
            done = ssh.run(ssh.as_root(["cat", HEADS_FILE]), timeout_s=PATIENCE_S)
        except HostError as error:
            return host.name, None, str(error)
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            return host.name, None, printable(last[0])
        return host.name, done.stdout.encode(), ""

    return at_once(one, hosts)
