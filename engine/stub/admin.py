"""The admin socket: lines in, answers out, in order for each peer; answers may come later."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.stub import text
from engine.stub.mutants import broken

LINE_MAX = 65536
# verb: required fields and their types; strings must not be empty except id.
FIELDS: dict[str, dict[str, type]] = {
    "status": {}, "role": {}, "demote": {}, "drain": {}, "limits": {}, "digest": {}, "histograms": {},
    "snapshot": {}, "promote": {"epoch": int}, "kill": {"reason": str}, "reduce": {"reason": str},
    "unkill": {"operator": str, "reason": str}, "resume": {"operator": str, "reason": str},
    "stall": {"ms": int},
}  # fmt: skip
ENTER = {"side": str, "quantity": int, "symbol": str, "price_e4": int}
KNOWN = {
    "verb",
    "scope",
    "id",
    "type",
    "urn",
    "critical",
    "contract",
    *ENTER,
    "epoch",
    "reason",
    "operator",
    "ms",
}

Answer = dict[str, Any]


class Peer:
    """One connection and what it still waits for."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.buffer = bytearray()
        self.waiting = False
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.uid = struct.unpack("iII", credentials)[1]

    def answer(self, value: Answer) -> None:
        """Send one line."""
        self.waiting = False
        with contextlib.suppress(OSError):
            self.socket.sendall(text.canonical(value) + b"\n")


def refused(code: str, detail: str = "") -> Answer:
    """A refusal."""
    return {"ok": False, "code": code, "detail": detail}


class Admin:
    """The listening socket and its peers."""

    def __init__(self, path: Path, handle: Callable[[Peer, Answer], None]) -> None:
        self._path, self._handle = path, handle
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        self.listener.bind(str(path))
        os.umask(before)
        if broken("admin.private"):
            path.chmod(0o666)
        self.listener.listen(16)
        self.peers: list[Peer] = []

    def accept(self) -> Peer | None:
        """The next peer, if one waits."""
        try:
            peer = Peer(self.listener.accept()[0])
        except OSError:
            return None
        self.peers.append(peer)
        return peer

    def read(self, peer: Peer) -> None:
        """Take what a peer sent; a peer that ended is forgotten."""
        try:
            data = peer.socket.recv(65536)
        except OSError:
            data = b""
        peer.buffer += data
        if not data or len(peer.buffer) > LINE_MAX:
            self.forget(peer)
            return
        self.serve(peer)

    def forget(self, peer: Peer) -> None:
        """Close one connection."""
        peer.socket.close()
        if peer in self.peers:
            self.peers.remove(peer)

    def serve(self, peer: Peer) -> None:
        """Handle whole lines until one has to wait."""
        while not peer.waiting and b"\n" in peer.buffer:
            line, _, rest = bytes(peer.buffer).partition(b"\n")
            peer.buffer[:] = rest
            request, wrong = parse(line)
            if wrong:
                peer.answer(wrong)
                if wrong["code"] != "operator" and broken("admin.errors"):
                    self.forget(peer)
                    return
            else:
                self._handle(peer, request)


def parse(line: bytes) -> tuple[Answer, Answer | None]:
    """A request, or the refusal of it."""
    try:
        request = text.load(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
        return {}, refused("bad_request", "not a JSON object with a verb")
    verb = request["verb"]
    unknown = [name for name in request.get("critical", []) if name not in KNOWN]
    if unknown:
        return {}, refused("bad_request", f"critical field {unknown[0]!r} is not known here")
    needed = FIELDS.get(verb)
    if verb == "intent":
        needed = {"urn": int} if request.get("type") == "cancel" else ENTER
    if needed is None:
        return {}, refused("unknown_verb", verb)
    for name, kind in needed.items():
        if type(request.get(name)) is not kind or request[name] == "":
            if name == "operator" or (verb in ("unkill", "resume") and name == "reason"):
                if broken("latch.named") and verb == "unkill":
                    continue
                return {}, refused("operator", f"{verb} needs a named operator and a reason")
            return {}, refused("bad_request", f"{name} is missing or has a wrong type")
    return request, None
