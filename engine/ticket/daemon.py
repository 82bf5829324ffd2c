"""The ticket issuer as a daemon: a Unix socket, one JSON line in, one out.

    {"slot": "a", "nonce": "<64 hex>"}  ->  {"ok": true, "ticket": {...}} or {"ok": false, "code", "detail"}

Who asks is not taken from the request: the kernel says it (SO_PEERCRED, unix(7)). One request at a time and
with a deadline, so that a process that connects and says nothing cannot keep others waiting for long.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.ticket.errors import TicketError
from engine.ticket.issuer import Host, Slot, issue
from engine.ticket.process import read_process

_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: struct ucred
_REQUEST_BYTES_MAX = 4096
_REQUEST_TIMEOUT_S = 5.0
_LOG = logging.getLogger("hft.ticket")


def load_host(path: Path) -> Host:
    """The host's configuration; TicketError `config` names what is wrong."""
    try:
        document = json.loads(path.read_bytes())
        slots = {
            str(name): Slot(
                release=Path(slot["release"]),
                config=Path(slot["config"]),
                limits=Path(slot["limits"]),
                uid=_uid_of(slot),
                interpreters=tuple(str(item) for item in slot.get("interpreters", ())),
            )
            for name, slot in document["slots"].items()
        }
        return Host(name=str(document["host"]), key=Path(document["key"]), slots=slots)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TicketError("config", f"{path}: {error!r}") from error


def _uid_of(slot: dict[str, Any]) -> int:
    """By number, or by the name of an account, whose number every host chooses for itself."""
    return int(slot["uid"]) if "uid" in slot else pwd.getpwnam(slot["user"]).pw_uid


def listen(path: Path) -> socket.socket:
    """The issuer's socket; any local process may ask, what it gets depends on what it is."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o666)
    server.listen(16)
    return server


def serve(server: socket.socket, host: Callable[[], Host]) -> None:
    """Answer until killed. HOST is asked each time: a deploy changes slots under a running issuer."""
    while True:
        link, _ = server.accept()
        with link:
            link.settimeout(_REQUEST_TIMEOUT_S)
            try:
                link.sendall(json.dumps(answer(link, host)).encode() + b"\n")
            except OSError as error:
                _LOG.warning("a caller went away: %s", error)


def answer(link: socket.socket, host: Callable[[], Host]) -> dict[str, Any]:
    """The answer to the one request on LINK."""
    pid, uid, _ = _CREDENTIALS.unpack(
        link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    try:
        request = _read_request(link)
        ticket = issue(host(), request["slot"], request["nonce"], read_process(pid, uid))
    except TicketError as error:
        _LOG.warning("refused process %d: %s: %s", pid, error.code, error)
        return {"ok": False, "code": error.code, "detail": str(error)}
    _LOG.info("ticket for process %d, slot %s, artifact %s", pid, ticket["slot"], ticket["artifact"])
    return {"ok": True, "ticket": ticket}


def _read_request(link: socket.socket) -> dict[str, str]:
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= _REQUEST_BYTES_MAX:
        piece = link.recv(_REQUEST_BYTES_MAX)
        if not piece:
            break
        line += piece
    try:
        request = json.loads(line)
        return {"slot": str(request["slot"]), "nonce": str(request["nonce"])}
    except (ValueError, KeyError, TypeError) as error:
        raise TicketError("request", "a request is one JSON line with slot and nonce") from error


def ask(path: Path, slot: str, nonce: str) -> dict[str, Any]:
    """What an engine does with it."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(path))
        link.sendall(json.dumps({"slot": slot, "nonce": nonce}).encode() + b"\n")
        with link.makefile("rb") as lines:
            document = json.loads(lines.readline())
    return dict(document)
