"""The on-host program as a zipapp: engine/host and engine/ticket, the same bytes from the same sources."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib import resources

from agent.install.build import SHEBANG, add, compiled

MAIN = """import sys
from importlib import import_module

ROOMS = {"gate": "engine.host.egress_filter", "nic": "engine.host.nic"}
verb, rest = sys.argv[1:2], sys.argv[2:]
other = ROOMS.get("".join(verb))
main = import_module(other or "engine.ticket.__main__").main
sys.exit(main(rest if other else verb + rest))
"""
ROOM = '"""What the bundle runs on an engine\'s host."""\n'
PACKED = (
    "engine/host",
    "engine/ticket",
    "engine/host/egress_filter.py",
    "engine/contract/__init__.py",
    "engine/contract/canonical.py",
)


@cache
def program() -> bytes:
    """The zipapp: `gate` is the egress filter, `nic` the NIC's rooms, other verbs are engine.ticket's."""
    sources = {"__main__.py": MAIN.encode(), "engine/__init__.py": ROOM.encode(), **_sources()}
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(sources.items()):
            add(archive, name, data)
            add(archive, f"{name}c", compiled(name, data))
    return buffer.getvalue()


def _sources() -> dict[str, bytes]:
    root, found = resources.files("engine"), {}
    for packed in PACKED:
        place = root.joinpath(*packed.split("/")[1:])
        entries = (
            [place]
            if packed.endswith(".py")
            else [one for one in place.iterdir() if one.name.endswith(".py")]
        )
        for entry in entries:
            name = packed if packed.endswith(".py") else f"{packed}/{entry.name}"
            found[name] = entry.read_bytes()
    return found
