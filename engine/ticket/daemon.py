"""The ticket issuer as a daemon: a Unix socket, one JSON line in, one JSON line out.

    {"slot": "a", "nonce": "<64 hex>"}  ->  {"ok": true, "ticket": {...}} or {"ok": false, "code", "detail"}

The caller's identity comes from the kernel, not from the request (SO_PEERCRED, unix(7)). Callers are served
side by side, each with one deadline for its whole request, and each user has few places: who is silent, slow
or many takes time and places from itself alone. No request ends the daemon.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import pwd
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from engine.contract.canonical import parse
from engine.ticket.errors import TicketError
from engine.ticket.issuer import IssuerIdentity, Slot, issue
from engine.ticket.ownership import claim_path, drop_left_socket
from engine.ticket.process import read_process

_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: struct ucred
_REQUEST_BYTES_MAX = 4096
_REQUEST_TIMEOUT_S = 5.0
_PLACES_OF_A_USER = 8
_PLACES_OF_STRANGERS = 16  # all users without a slot together
# accept(2): the peer's end, or a shortage that passes.
_PASSING = {errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINTR}
_ACCEPT_PAUSE_S = 0.05
_LOG = logging.getLogger("hft.ticket")


def load_host(path: Path) -> IssuerIdentity:
    """The host's configuration; TicketError `config` names what is wrong."""
    try:
        document: Any = parse(path.read_bytes())
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
        return IssuerIdentity(name=str(document["host"]), key=Path(document["key"]), slots=slots)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TicketError("config", f"{path}: {error!r}") from error


def _uid_of(slot: dict[str, Any]) -> int:
    """By number, or by account name, since the number may differ from host to host."""
    return int(slot["uid"]) if "uid" in slot else pwd.getpwnam(slot["user"]).pw_uid


def listen(path: Path) -> socket.socket:
    """The issuer's socket; any local process may ask, and what it gets depends on what it is.

    TicketError `owned` while another issuer serves there: that one keeps its socket.
    """
    claim_path(path)
    drop_left_socket(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o666)
    server.listen(16)
    return server


class Places:
    """Who is being served: every user of a slot has places of its own, all others share some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    def take(self, uid: int, slot_uids: Collection[int]) -> bool:
        """A place for one request of UID; False when they are taken."""
        with self._lock:
            strangers = sum(count for user, count in self._taken.items() if user not in slot_uids)
            is_full = self._taken[uid] >= _PLACES_OF_A_USER
            if is_full or (uid not in slot_uids and strangers >= _PLACES_OF_STRANGERS):
                return False
            self._taken[uid] += 1
            return True

    def give_back(self, uid: int) -> None:
        """The request is over."""
        with self._lock:
            self._taken[uid] -= 1
            if self._taken[uid] <= 0:
                del self._taken[uid]


def serve(server: socket.socket, host: Callable[[], IssuerIdentity]) -> None:
    """Serve until killed. HOST is read for each request: a deploy may change slots while the issuer runs."""
    places = Places()
    while True:
        try:
            link, _ = server.accept()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            time.sleep(_ACCEPT_PAUSE_S)
            continue
        uid = _peer_of(link)[1]
        if not places.take(uid, _slot_uids(host)):
            _LOG.warning("user %d has too many requests open", uid)
            link.close()
            continue
        try:
            threading.Thread(target=_serve_one, args=(link, uid, host, places), daemon=True).start()
        except RuntimeError as error:  # no more threads
            _LOG.warning("user %d is not served: %s", uid, error)
            link.close()
            places.give_back(uid)


def _slot_uids(host: Callable[[], IssuerIdentity]) -> frozenset[int]:
    """Whose places are kept for them; none while the configuration cannot be read."""
    try:
        return frozenset(slot.uid for slot in host().slots.values())
    except TicketError:
        return frozenset()


def _serve_one(link: socket.socket, uid: int, host: Callable[[], IssuerIdentity], places: Places) -> None:
    try:
        with link:
            reply = answer(link, host)
            link.settimeout(_REQUEST_TIMEOUT_S)
            link.sendall(json.dumps(reply).encode() + b"\n")
    except OSError as error:
        _LOG.warning("a client disconnected: %s", error)
    except Exception:
        _LOG.exception("a request of user %d", uid)
    finally:
        places.give_back(uid)


def _peer_of(link: socket.socket) -> tuple[int, int]:
    """Process and user that connected."""
    pid, uid, _ = _CREDENTIALS.unpack(
        link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid


def answer(link: socket.socket, host: Callable[[], IssuerIdentity]) -> dict[str, Any]:
    """Answer the one request on LINK."""
    pid, uid = _peer_of(link)
    try:
        before = read_process(pid, uid)
        request = _read_request(link)
        ticket = issue(host(), request["slot"], request["nonce"], before)
        if read_process(pid, uid) != before:
            raise TicketError("process_gone", f"process {pid} became another program while it asked")
    except TicketError as error:
        _LOG.warning("refused process %d: %s: %s", pid, error.code, error)
        return {"ok": False, "code": error.code, "detail": str(error)}
    _LOG.info("ticket for process %d, slot %s, artifact %s", pid, ticket["slot"], ticket["artifact"])
    return {"ok": True, "ticket": ticket}


def _read_request(link: socket.socket) -> dict[str, str]:
    line = bytearray()
    end = time.monotonic() + _REQUEST_TIMEOUT_S
    while not line.endswith(b"\n") and len(line) <= _REQUEST_BYTES_MAX:
        left = end - time.monotonic()
        if left <= 0:
            raise TicketError("request", f"no whole request within {_REQUEST_TIMEOUT_S:g} s")
        link.settimeout(left)
        try:
            piece = link.recv(_REQUEST_BYTES_MAX)
        except TimeoutError:
            continue
        if not piece:
            break
        line += piece
    try:
        request = json.loads(line)
        return {"slot": str(request["slot"]), "nonce": str(request["nonce"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TicketError("request", "a request is one JSON line with slot and nonce") from error


def ask(path: Path, slot: str, nonce: str) -> dict[str, Any]:
    """What an engine does with it."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.fspath(path))
        link.sendall(json.dumps({"slot": slot, "nonce": nonce}).encode() + b"\n")
        with link.makefile("rb") as lines:
            document: Any = parse(lines.readline())
    return dict(document)
