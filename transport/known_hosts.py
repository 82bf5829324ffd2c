"""The known_hosts file generated from the inventory: the only trust in host keys there is.

The file is named after its content, so that two runs with different inventories never overwrite each other's,
nothing has to be removed when a run is killed, and a changed key simply makes another file (sshd(8),
SSH_KNOWN_HOSTS FILE FORMAT).
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from transport.errors import HostError
from transport.ours import is_ours
from transport.places import state_home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_WAY = "remove it, or point XDG_STATE_HOME to a directory of your own"
_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+=*\Z")


def known_hosts_text(name: str, keys: Sequence[str]) -> str:
    """One line per key; refuses anything that could become a second line, a pattern or a marker."""
    lines = []
    for key in keys:
        bare = " ".join(key.split()[:2])
        if not _NAME.match(name) or not _KEY.match(bare):
            raise HostError(name, f"not a host key line in the inventory: {key[:60]!r}")
        lines.append(f"{name} {bare}\n")
    return "".join(lines)


def known_hosts_file(name: str, keys: Sequence[str]) -> Path:
    """Path of a known_hosts file that holds exactly these keys, written once.

    A home that cannot be written (full, read-only, somebody else's) stops nobody from looking at a host: the
    file is then in a private directory that goes when the process ends.
    """
    text = known_hosts_text(name, keys)
    try:
        return _written(state_home() / "hft" / "known_hosts", text)
    except (OSError, RuntimeError):  # RuntimeError: no home directory is known
        return _written(_private(), text)


@cache
def _private() -> Path:
    folder = tempfile.mkdtemp(prefix="hft-known-hosts-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _written(folder: Path, text: str) -> Path:
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not _is_kept(path, text):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_ours(folder):
            raise HostError("", f"{folder}: others may write there, and it says whom ssh trusts", hint=_WAY)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
        Path(temporary).replace(path)
    return path


def _is_kept(path: Path, text: str) -> bool:
    """Whether the file there is what was written; a name proves nothing of what stands below it."""
    try:
        return is_ours(path.parent) and is_ours(path) and path.read_text(encoding="ascii") == text
    except (OSError, UnicodeDecodeError):
        return False
