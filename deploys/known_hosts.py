"""The known_hosts file generated from the inventory: the only trust in host keys there is.

The file is named after its content, so that two runs with different inventories never overwrite each other's,
nothing has to be removed when a run is killed, and a changed key simply makes another file. OpenSSH and
paramiko both read it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploys.errors import RefusedError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+=*\Z")


def known_hosts_text(keys: Mapping[str, str]) -> str:
    """One line per host name; refuses anything that could become a second line, a pattern or a marker."""
    lines = []
    for name, key in sorted(keys.items()):
        bare = " ".join(key.split()[:2])
        if not _NAME.match(name) or not _KEY.match(bare):
            raise RefusedError(f"{name}: not a host key line in the inventory: {key[:60]!r}")
        lines.append(f"{name} {bare}\n")
    return "".join(lines)


def known_hosts_file(keys: Mapping[str, str]) -> Path:
    """Path of a known_hosts file that holds exactly these keys, written once."""
    text = known_hosts_text(keys)
    folder = _state_home() / "hft" / "known_hosts"
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
        Path(temporary).replace(path)
    return path


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
