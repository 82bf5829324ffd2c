"""A file of fingerprints: which host keys a person vouches for, a host a line, as the consoles told them.

    engine-1 SHA256:hnJ...
    engine-2 SHA256:kQ3...   # a comment

A host may have several lines, one for each of its keys. What ssh-keygen(1) -l prints has no inventory name in
it; `NAME $(ssh-keygen -lf FILE | cut -d' ' -f2)` makes a line.
"""

from __future__ import annotations

from pathlib import Path

from inventory.bounded import read_bounded, reason_of
from inventory.errors import InventoryError
from inventory.identity import FINGERPRINT
from inventory.suggest import nearest

SIZE_MAX = 1 << 20


def read_fingerprints(path: Path, known: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Host -> the fingerprints that are accepted of it; InventoryError with the line that cannot be used."""
    try:
        text = read_bounded(path, SIZE_MAX).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InventoryError(f"{path}: cannot be read: {reason_of(error)}") from error
    found: dict[str, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not FINGERPRINT.fullmatch(words[1]):
            raise InventoryError(f"{path}:{number}: expected NAME SHA256:..., got {line.strip()[:80]!r}")
        name, fingerprint = words[0], words[1].rstrip("=")
        if name not in known:
            raise InventoryError(f"{path}:{number}: no host is called {name!r}{nearest(name, known)}")
        found[name] = found.get(name, frozenset()) | {fingerprint}
    if not found:
        raise InventoryError(f"{path}: names no host")
    return found
