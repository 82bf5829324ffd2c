"""Where the image's packages come from: the Debian mirrors that the build machine itself uses.

Pure parsing of apt's two source formats (sources.list(5)): one-line entries and deb822 stanzas. A machine
that uses no Debian 12 mirror (another distribution) is refused with the line it needs. Only the packages come
from there: the finished image names no mirror and nothing else of the build machine.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import LabError

SUITES = ("bookworm", "bookworm-updates", "bookworm-security")
_ONE_LINE = re.compile(
    r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$", re.MULTILINE
)
# How the mirrors of Debian end, and how a vendor's archive for Debian does not.
_DEBIAN = re.compile(r"/debian(-security)?/?$")
_FIELD = re.compile(r"^(?P<key>[A-Za-z-]+):\s*(?P<value>.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def archive_lines(apt: Path) -> tuple[str, ...]:
    """One `deb` line for each suite of Debian 12 that APT (a directory like /etc/apt) names."""
    found: dict[str, str] = {}
    for path in sorted([apt / "sources.list", *apt.glob("sources.list.d/*")]):
        if path.is_file():
            found |= mirrors(path.read_text(errors="replace"))
    if SUITES[0] not in found:
        raise LabError(
            f"{apt}: no Debian 12 mirror for the lab's image; add a line 'deb URI bookworm main' to"
            f" {apt / 'sources.list.d/bookworm.list'}, URI being the Debian mirror you use"
        )
    return tuple(f"deb {found[suite]} {suite} main" for suite in SUITES if suite in found)


def mirrors(text: str) -> dict[str, str]:
    """Suite to mirror for every Debian 12 suite that TEXT names with the component main, in either format."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    pairs = [(m["suite"], m["uri"], m["components"].split()) for m in _ONE_LINE.finditer(lines)]
    for stanza in re.split(r"\n\s*\n", lines):
        fields = {m["key"].lower(): m["value"].split() for m in _FIELD.finditer(stanza)}
        if "deb" in fields.get("types", ()) and fields.get("uris"):
            pairs += [
                (suite, fields["uris"][0], fields.get("components", [])) for suite in fields.get("suites", ())
            ]
    return {
        suite: uri
        for suite, uri, components in pairs
        if suite in SUITES and "main" in components and _DEBIAN.search(uri)
    }
