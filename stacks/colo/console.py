"""What the installer says on the serial console: one line for each fact, read and checked. Pure.

The console is the one way out of a machine that nobody can log in to yet; firmware, boot loader and kernel
write there as well, so a line of the installer has a mark and is JSON of known keys. A host key is taken from
here because whoever could forge it holds the BMC, and with it the machine.
"""

from __future__ import annotations

import json
import re

from stacks.colo.flow import Told

MARK = "@hft-install "
LINE_MAX = 2000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOST_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{40,100}={0,2}")
_PATTERNS = {"written": _SHA256, "host-key": _HOST_KEY}


def told(text: str) -> Told:
    """Everything that TEXT, the console since the installer was started, has of it."""
    found: dict[str, str] = {}
    for line in text.replace("\r", "\n").splitlines():
        _, mark, body = line.partition(MARK)
        if not mark or len(body) > LINE_MAX:
            continue
        try:
            fact = json.loads(body)
        except ValueError:  # torn by a line of the kernel; what is missing then is not believed
            continue
        if isinstance(fact, dict) and isinstance(fact.get("fact"), str):
            found[fact["fact"]] = str(fact.get("value", ""))
    for key, pattern in _PATTERNS.items():
        if key in found and not pattern.fullmatch(found[key]):
            return Told(failed=f"unreadable {key} on the console: {found[key][:80]!r}")
    return Told(
        failed=found.get("failed", ""),
        written_sha256=found.get("written", ""),
        host_key=found.get("host-key", ""),
        smt=found.get("smt", ""),
        is_done="done" in found and "written" in found and "host-key" in found,
    )
