"""What a failed trial leaves behind for the operator: the reason and the system journal of the failed boot.

Kept under /var/lib/hft/rollback/TXN/. When the health service itself gives up it writes both before it
reboots; after a panic or a reset the next boot saves what journald had written by then, provided it belongs
to that boot."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from agent import durable
from agent.host import HostRoot
from agent.paths import VAR_DIR

JOURNAL_BYTES_MAX = 2 << 20


def directory(txn: str) -> str:
    """Where the evidence of a transaction is kept."""
    return f"{VAR_DIR}/rollback/{txn}"


def write(host: HostRoot, txn: str, name: str, data: bytes) -> None:
    """Keep one file of evidence durably."""
    durable.make_dirs(host, directory(txn), 0o700)
    durable.write_file(host, f"{directory(txn)}/{name}", data, 0o600)


def write_reason(host: HostRoot, txn: str, reason: str) -> None:
    """Record why the health service gave up; the record survives the reboot that follows."""
    write(host, txn, "reason.json", json.dumps({"schema": 1, "txn": txn, "reason": reason}).encode())


def read_reason(host: HostRoot, txn: str) -> str | None:
    """The health service's own reason, None when it did not record one."""
    text = host.read(f"{directory(txn)}/reason.json")
    try:
        raw: Any = json.loads(text) if text else {}
    except ValueError:
        return "the health service gave up; its reason is unreadable"
    return str(raw["reason"]) if isinstance(raw, dict) and "reason" in raw else None


def keep_journal(host: HostRoot, txn: str, boot: str) -> str:
    """Save the end of a boot's journal (`0` this boot, `-1` the one before); returns what was found."""
    if not host.is_live or host.read(f"{directory(txn)}/journal.txt") is not None:
        return "the failed boot's journal is kept"
    argv = ["/usr/bin/journalctl", "--boot", boot, "--output", "short", "--no-pager", "--quiet"]
    try:
        done = subprocess.run(argv, check=False, capture_output=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the failed boot's journal could not be read: {error}"
    if f"hft.txn={txn}".encode() not in done.stdout:
        return "the failed boot left no journal: it ended before journald wrote to disk"
    write(host, txn, "journal.txt", done.stdout[-JOURNAL_BYTES_MAX:])
    return f"the failed boot's journal is in {directory(txn)}/journal.txt"
