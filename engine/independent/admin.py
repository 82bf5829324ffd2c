"""The admin socket: lines in, answers out, in order for each peer; answers may come later."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.independent import text
from engine.independent.mutants import broken

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


_KILL = re.compile(rb'"verb"\s*:\s*"kill"')
_SCOPES = ("engine", "strategy", "account", "site")
_WORD_MAX = 200


def kill_in(line: bytes) -> Answer | None:
    """The kill that a line asks for, however badly it is written; None when it asks for none."""
    if not _KILL.search(line) or broken("kill.words"):
        return None
    plain = bytes(byte if 0x20 <= byte <= 0x7E else 0x3F for byte in line)
    try:
        request = text.load(plain)
    except (ValueError, RecursionError):
        request = None
    nothing = "no reason was given"
    told = request if isinstance(request, dict) else {"scope": "site", "reason": plain.decode()}
    scope, id_, reason = told.get("scope", "engine"), told.get("id", ""), told.get("reason", "")
    return {
        "verb": "kill",
        "scope": scope if scope in _SCOPES else "site",
        "id": id_[:_WORD_MAX] if isinstance(id_, str) else "",
        "reason": reason[:_WORD_MAX] if has_word(reason) else nothing,
    }


def has_word(words: object) -> bool:
    """Whether it names anything: blanks and dashes do not."""
    return isinstance(words, str) and any(letter.isascii() and letter.isalnum() for letter in words)


class Peer:
    """One connection and its pending answers."""

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
        if path.is_socket() and not path.is_symlink():
            path.unlink()
        before = os.umask(0o177)
        self.listener.bind(str(path))
        os.umask(before)
        if broken("admin.private"):
            path.chmod(0o666)
        self.listener.listen(16)
        self.peers: list[Peer] = []

    def accept(self) -> Peer | None:
        """The next peer, if one is waiting."""
        try:
            peer = Peer(self.listener.accept()[0])
        except OSError:
            return None
        self.peers.append(peer)
        return peer

    def read(self, peer: Peer) -> None:
        """Read what a peer sent; a closed peer is dropped."""
        try:
            data = peer.socket.recv(65536)
        except OSError:
            data = b""
        peer.buffer += data
        if not data or len(peer.buffer) > LINE_MAX:
            kill = kill_in(bytes(peer.buffer))
            if kill is not None:
                self._handle(peer, kill)
            if data and kill is None and b"\n" not in data:
                del peer.buffer[:-64]  # a line that is too long is only searched for a kill
                return
            self.forget(peer)
            return
        self.serve(peer)

    def forget(self, peer: Peer) -> None:
        """Close one connection."""
        peer.socket.close()
        if peer in self.peers:
            self.peers.remove(peer)

    def serve(self, peer: Peer) -> None:
        """Handle complete lines until one has to wait."""
        while not peer.waiting and b"\n" in peer.buffer:
            line, _, rest = bytes(peer.buffer).partition(b"\n")
            peer.buffer[:] = rest
            request, wrong = parse(line)
            kill = kill_in(line)
            if kill is not None:
                self._handle(peer, kill)
            elif wrong:
                peer.answer(wrong)
                if wrong["code"] != "operator" and broken("admin.errors"):
                    self.forget(peer)
                    return
            else:
                self._handle(peer, request)


def _is_blank(name: str, value: object) -> bool:
    return name in ("operator", "reason") and not has_word(value)


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
        if type(request.get(name)) is not kind or request[name] == "" or _is_blank(name, request[name]):
            if name == "operator" or (verb in ("unkill", "resume") and name == "reason"):
                if broken("latch.named") and verb == "unkill":
                    continue
                return {}, refused("operator", f"{verb} needs a named operator and a reason")
            return {}, refused("bad_request", f"{name} is missing or has a wrong type")
    return request, None
