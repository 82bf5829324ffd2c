"""The observer: an order gateway and the venue behind it, as a case needs them.

It speaks the engine's side of the link (engine/contract/link.py), answers orders like a venue that never
matches by itself, keeps the sequenced responses so that a login can request them again, and logs every frame.
Cases control it: withhold answers, refuse a claim, call an epoch stale, drop the connection, fill an order.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engine.conformance import ouch
from engine.conformance.events import EventLog
from engine.contract.link import NONCE_BYTES, frame, frames


@dataclass(slots=True, kw_only=True)
class Knobs:
    """What a case may change while the engine runs."""

    refuse_claim: str | None = None
    stale: bool = False
    answer_orders: bool = True
    answer_cancels: bool = True
    reject_orders: bool = False
    next_urn: int = 1
    beat_ms: int = 0  # asked for in the welcome; 0: not
    silent: bool = False  # connected, and says nothing at all: no heartbeat, no answer
    closed: bool = False  # takes no connection
    replay_delay_s: float = 0.0  # between a login and the day's responses
    on_order: Callable[[ouch.Enter], None] | None = None
    copy_extra: list[bytes] = field(default_factory=list)  # shown by the drop copy alone


BEAT_S = 0.5  # SoupBinTCP asks for a heartbeat a second
BEAT_BYTES = 9  # payload of `b`


class Gateway:
    """Listens for the engine, and for readers of the drop copy."""

    def __init__(self, address: str, profile: str, log: EventLog) -> None:
        self.knobs, self.log, self._profile = Knobs(), log, profile
        self.responses: list[bytes] = []
        self._orders: dict[int, ouch.Enter] = {}
        self._open: dict[int, int] = {}
        self._last_urn = self._reference = self._connections = 0
        self._lock = threading.RLock()
        self._session: socket.socket | None = None
        self._closing = False
        self._listeners = [self._listen(address, self._serve), self._listen(address, self._serve_copy)]
        threading.Thread(target=self._beat, daemon=True).start()
        self.port, self.copy_port = (int(one.getsockname()[1]) for one in self._listeners)

    def _listen(self, address: str, serve: Callable[[socket.socket], None]) -> socket.socket:
        listener = socket.create_server((address, 0))
        threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while not self._closing:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._guarded, args=(serve, peer), daemon=True).start()

    def _beat(self) -> None:
        while not self._closing:
            time.sleep(BEAT_S)
            with self._lock:
                if self._session is not None and not self.knobs.silent:
                    with suppress(OSError):
                        self._session.sendall(frame("H"))

    def _guarded(self, serve: Callable[[socket.socket], None], peer: socket.socket) -> None:
        with peer, suppress(OSError):
            serve(peer)

    def close(self) -> None:
        """End every connection."""
        self._closing = True
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()

    # What cases do.

    def drop(self) -> None:
        """Cut the engine's connection."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            with suppress(OSError):
                session.shutdown(socket.SHUT_RDWR)

    def wait_taken(self, urn: int, patience_s: float) -> None:
        """Until an order came in and was answered, or its answer was withheld."""
        self.log.wait(
            f"order {urn}",
            lambda all_: any(event.kind == "order" and event.value.urn == urn for event in all_),
            patience_s,
        )

    def fill(self, urn: int, quantity: int, price_e4: int) -> None:
        """Execute part of an open order."""
        with self._lock:
            self._open[urn] -= quantity
            self._reference += 1
            self._respond(ouch.executed(urn, quantity, price_e4, self._reference, time.time_ns()))

    def say(self, message: bytes) -> None:
        """An event of the venue, whatever it is."""
        with self._lock:
            self._respond(message)

    def babble(self, data: bytes) -> None:
        """Bytes that need not be a packet."""
        with self._lock:
            if self._session is not None:
                self._session.sendall(data)

    def _respond(self, message: bytes) -> None:
        self.responses.append(message)
        if self._session is not None:
            with suppress(OSError):
                self._session.sendall(frame("S", message))

    # One connection of the engine.

    def _serve(self, peer: socket.socket) -> None:
        if self.knobs.closed:
            return
        with self._lock:
            self._connections += 1
            number = self._connections
        self.log.add("connect", connection=number)
        peer.sendall(frame("n", os.urandom(NONCE_BYTES)))
        buffer = bytearray()
        while data := peer.recv(65536):
            buffer += data
            for letter, payload in frames(buffer):
                if not self._frame(peer, number, letter, payload):
                    self.log.add("closed by gateway", connection=number)
                    return
        self.log.add("closed", connection=number)

    def _frame(self, peer: socket.socket, number: int, letter: str, payload: bytes) -> bool:
        """Take one frame; False ends the connection."""
        match letter:
            case "h":
                return self._hello(peer, number, payload)
            case "c":
                return self._claim(peer, number, payload)
            case "L":
                return self._login(peer, number, payload)
            case "U":
                return self._order(peer, number, payload)
            case "b" | "R" | "O":
                return self._sign_of_life(number, letter, payload)
            case _:
                self.log.add("stray", letter, number)
                return True

    def _sign_of_life(self, number: int, letter: str, payload: bytes) -> bool:
        if letter == "b":
            self.log.add(
                "beat", struct.unpack(">BQ", payload) if len(payload) == BEAT_BYTES else None, number
            )
        else:
            self.log.add("heartbeat" if letter == "R" else "logout", connection=number)
        return letter != "O"

    def _hello(self, peer: socket.socket, number: int, payload: bytes) -> bool:
        try:
            hello = json.loads(payload)
        except ValueError:
            hello = None
        self.log.add("hello", hello, number)
        peer.sendall(self._welcome())
        return True

    def _welcome(self) -> bytes:
        said: dict[str, object] = {"session": "TEST", "next_urn": self.knobs.next_urn}
        if self.knobs.beat_ms:
            said["beat_ms"] = self.knobs.beat_ms
        return frame("w", json.dumps(said).encode())

    def _claim(self, peer: socket.socket, number: int, payload: bytes) -> bool:
        self.log.add("claim", int.from_bytes(payload, "big"), number)
        if self.knobs.refuse_claim is not None:
            peer.sendall(self._refusal(self.knobs.refuse_claim, "told to"))
            return False
        peer.sendall(self._welcome())
        return True

    def _refusal(self, code: str, detail: str) -> bytes:
        return frame("x", json.dumps({"code": code, "detail": detail}).encode())

    def _login(self, peer: socket.socket, number: int, payload: bytes) -> bool:
        wanted = payload[26:46].strip()
        first = int(wanted) if wanted.isdigit() else 1
        self.log.add("login", first, number)
        peer.sendall(frame("A", b"TEST".rjust(10) + str(max(first, 1)).rjust(20).encode()))
        time.sleep(self.knobs.replay_delay_s)
        with self._lock:
            peer.sendall(b"".join(frame("S", one) for one in self.responses[max(first, 1) - 1 :]))
            peer.sendall(frame("m", struct.pack(">Q", len(self.responses) + 1)))
            self._session = peer
        return True

    def _order(self, peer: socket.socket, number: int, payload: bytes) -> bool:
        message = ouch.parse(payload)
        if message is None:
            self.log.add("malformed", payload, number)
            return True
        if isinstance(message, ouch.Enter) and self.knobs.on_order is not None:
            self.knobs.on_order(message)
        stale = self.knobs.stale
        if not stale and not self.knobs.silent:
            with self._lock:
                self._answer(message)
        # Logged once its answer is sent or withheld: a case that has seen it may change the knobs.
        self.log.add("order" if isinstance(message, ouch.Enter) else "cancel", message, number)
        if stale:
            peer.sendall(self._refusal("stale_epoch", "another engine holds a higher epoch"))
        return not stale

    def _answer(self, message: ouch.Enter | ouch.Cancel) -> None:
        if isinstance(message, ouch.Cancel):
            if self.knobs.answer_cancels and self._open.get(message.urn, 0) > 0:
                left = self._open.pop(message.urn)
                self._respond(ouch.canceled(message.urn, left, time.time_ns(), self._profile))
        elif self.knobs.answer_orders and message.urn > self._last_urn:
            self._last_urn = message.urn
            if self.knobs.reject_orders:
                self._respond(ouch.rejected(message, 1, time.time_ns(), self._profile))
                return
            self._orders[message.urn], self._open[message.urn] = message, message.quantity
            self._reference += 1
            self._respond(ouch.accepted(message, self._reference, time.time_ns()))

    # The drop copy.

    def _serve_copy(self, peer: socket.socket) -> None:
        buffer = bytearray()
        while not frames(buffer):
            data = peer.recv(4096)
            if not data:
                return
            buffer += data
        with self._lock:
            told = [*self.responses, *self.knobs.copy_extra]
        peer.sendall(frame("A", b"COPY".rjust(10) + b"1".rjust(20)))
        peer.sendall(b"".join(frame("S", one) for one in told) + frame("H"))
        peer.recv(4096)


def extra_execution(urn: int, quantity: int, price_e4: int) -> list[bytes]:
    """An order and its execution that only the drop copy shows."""
    fields = struct.pack(">cIcI8sQ", b"O", urn, b"B", quantity, b"HFTA    ", price_e4)
    data = fields + b"0YANN" + b"0" * 13 + b" " + bytes(2)
    order = ouch.parse(data)
    assert isinstance(order, ouch.Enter)
    return [ouch.accepted(order, urn, 1), ouch.executed(urn, quantity, price_e4, urn, 2)]
