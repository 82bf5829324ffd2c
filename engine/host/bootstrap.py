"""Calling the on-host program: request, program and payload over one standard input, in one round trip.

    M\\n, M bytes of PROGRAM
    {"verb": "look" | "install", "program_bytes": N, "program_sha256": HEX, ...}\\n
    N bytes of zipapp, then what the verb reads

PROGRAM is all that runs on the host before the zipapp's own code: it verifies that all of it arrived. Only
its first line is an argument, so no login shell has to carry it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

PROGRAM = """\
import hashlib, json, os, sys, tempfile
asked = json.loads(sys.stdin.buffer.readline())
data = sys.stdin.buffer.read(asked["program_bytes"])
if hashlib.sha256(data).hexdigest() != asked["program_sha256"]:
    message = "the program arrived truncated; nothing was changed"
    print(json.dumps({"schema": 1, "result": "refused", "code": "truncated", "message": message}))
    sys.exit(2)
fd, path = tempfile.mkstemp(suffix=".pyz")
try:
    os.write(fd, data)
    os.close(fd)
    sys.path.insert(0, path)
    from engine.host.install import answer
    from engine.host.look import look
    if asked["verb"] == "install":
        sys.exit(answer(asked, sys.stdin.buffer))
    print(json.dumps(look(asked)))
finally:
    os.unlink(path)
"""
BEGIN = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
ARGV = ("/usr/bin/python3", "-I", "-S", "-c", BEGIN)


def framed(program: bytes, verb: str, asked: dict[str, Any], *payload: bytes) -> bytes:
    """The standard input of one call."""
    head = {
        **asked,
        "verb": verb,
        "program_bytes": len(program),
        "program_sha256": hashlib.sha256(program).hexdigest(),
    }
    begin = f"{len(PROGRAM.encode())}\n{PROGRAM}"
    return b"".join((begin.encode(), json.dumps(head).encode(), b"\n", program, *payload))
