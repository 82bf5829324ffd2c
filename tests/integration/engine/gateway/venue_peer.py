"""A small venue: SoupBinTCP server and OUCH 5.0 answers for one account, with a complete log in memory.

It is written against the protocols' texts and shares no code with the gateway, so that what it logs is a
second opinion. It outlives every gateway of a test, keeps the day's responses for replay, ignores user
reference numbers it has seen, and lets only one connection hold the session.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from dataclasses import dataclass, field

SESSION = "DAY1"
DAY_START_NS = 34_200_000_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One message that reached the venue, and what became of it."""

    event: str  # accepted, ignored, canceled, cancel_unknown, replaced, query
    urn: int
    clordid: str = ""


@dataclass(slots=True)
class Order:
    """An open order."""

    quantity: int
    side: bytes
    symbol: bytes


@dataclass(slots=True)
class Connection:
    """One client."""

    socket: socket.socket
    unread: bytearray = field(default_factory=bytearray)
    is_logged_in: bool = False


def framed(kind: bytes, payload: bytes = b"") -> bytes:
    """One SoupBinTCP packet."""
    return struct.pack(">H", len(payload) + 1) + kind + payload


class VenuePeer:
    """Runs in a thread until `close`."""

    def __init__(self) -> None:
        self.log: list[Seen] = []
        self.received = bytearray()  # every OUCH message as it came, length first
        self.stream: list[bytes] = []  # the day's sequenced payloads
        self.open: dict[int, Order] = {}
        self.last_urn = 0
        self.logins = 0
        self.rejecting = b""  # the reason, while every login is rejected
        self.changed = threading.Condition()
        self._is_reading = True
        self._listener = socket.socket()
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65536
        )  # a client that is not read blocks soon
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, Connection] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close everything."""
        self._stopping = True
        self._wake.send(b"x")
        self._thread.join(10)
        for connection in self._connections.values():
            connection.socket.close()
        for other in (self._listener, self._wake, self._woken):
            other.close()
        self._selector.close()

    def wait_for(self, what: str, urn: int, timeout_s: float = 10.0) -> bool:
        """Until the log holds that event for that number."""
        with self.changed:
            return self.changed.wait_for(
                lambda: any(seen.event == what and seen.urn == urn for seen in reversed(self.log)), timeout_s
            )

    def accepted(self) -> list[Seen]:
        """Every order that was taken, in order."""
        return [seen for seen in list(self.log) if seen.event in ("accepted", "replaced")]

    def set_reading(self, is_reading: bool) -> None:
        """Stop reading from clients (their sockets fill), or go on."""
        self._is_reading = is_reading
        self._wake.send(b"x")

    def drop_clients(self) -> None:
        """Cut every connection, as a venue that restarts its gateway does."""
        for connection in list(self._connections.values()):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def fill(self, urn: int, quantity: int) -> None:
        """Execute shares of an open order."""
        with self.changed:
            self.open[urn].quantity -= quantity
            if self.open[urn].quantity == 0:
                del self.open[urn]
            self._respond(
                b"E" + self._stamp() + struct.pack(">IIQcQ", urn, quantity, 10_000, b"A", 1) + b"\0\0"
            )

    def _run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while not self._stopping:
            for key, _ in self._selector.select(0.2):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif self._is_reading:
                    self._read(self._connections[key.fileobj])  # type: ignore[index]
                else:
                    self._stopping or threading.Event().wait(0.01)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[client] = Connection(client)
        self._selector.register(client, selectors.EVENT_READ)

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        del self._connections[connection.socket]
        connection.socket.close()

    def _read(self, connection: Connection) -> None:
        try:
            piece = connection.socket.recv(65536)
        except OSError:
            piece = b""
        if not piece:
            return self._drop(connection)
        connection.unread += piece
        while len(connection.unread) >= 2:
            (length,) = struct.unpack_from(">H", connection.unread)
            if len(connection.unread) < 2 + length:
                return None
            kind, payload = bytes(connection.unread[2:3]), bytes(connection.unread[3 : 2 + length])
            del connection.unread[: 2 + length]
            with self.changed:
                self._packet(connection, kind, payload)
                self.changed.notify_all()
        return None

    def _packet(self, connection: Connection, kind: bytes, payload: bytes) -> None:
        if kind == b"L":
            self._login(connection, int(payload[26:46]))
        elif kind == b"U" and connection.is_logged_in:
            self.received += struct.pack(">H", len(payload)) + payload
            self._order(payload)

    def _login(self, connection: Connection, wanted: int) -> None:
        if self.rejecting:
            self.logins += 1
            return connection.socket.sendall(framed(b"J", self.rejecting))
        for other in list(self._connections.values()):
            if other is not connection and other.is_logged_in:
                self._drop(other)
        connection.is_logged_in = True
        self.logins += 1
        first = wanted or len(self.stream) + 1
        answer = framed(b"A", SESSION.rjust(10).encode() + str(first).rjust(20).encode())
        for payload in self.stream[first - 1 :]:
            answer += framed(b"S", payload)
        return connection.socket.sendall(answer)

    def _order(self, payload: bytes) -> None:
        kind = payload[:1]
        if kind == b"O":
            self._enter(payload)
        elif kind == b"X":
            self._cancel(*struct.unpack(">II", payload[1:9]))
        elif kind == b"U":
            self._replace(payload)
        elif kind == b"Q":
            self.log.append(Seen("query", 0))
            self._respond(b"Q" + self._stamp() + struct.pack(">I", self.last_urn + 1))

    def _enter(self, payload: bytes) -> None:
        urn, side, quantity, symbol, price = struct.unpack(">IcI8sQ", payload[1:26])
        clordid = payload[31:45]
        if urn <= self.last_urn:
            self.log.append(Seen("ignored", urn, clordid.decode()))
            return
        self.last_urn = urn
        self.open[urn] = Order(quantity, side, symbol)
        self.log.append(Seen("accepted", urn, clordid.decode()))
        self._accepted(b"A", struct.pack(">I", urn), self.open[urn], price, clordid)

    def _replace(self, payload: bytes) -> None:
        original, urn, quantity, price = struct.unpack(">IIIQ", payload[1:21])
        order = self.open.pop(original, None)
        if order is None or urn <= self.last_urn:
            self.log.append(Seen("ignored", urn, payload[24:38].decode()))
            return
        self.last_urn = urn
        self.open[urn] = Order(quantity, order.side, order.symbol)
        self.log.append(Seen("replaced", urn, payload[24:38].decode()))
        self._accepted(b"U", struct.pack(">II", original, urn), self.open[urn], price, payload[24:38])

    def _accepted(self, kind: bytes, numbers: bytes, order: Order, price: int, clordid: bytes) -> None:
        body = struct.pack(">cI8sQ", order.side, order.quantity, order.symbol, price) + b"0Y"
        self._respond(
            kind + self._stamp() + numbers + body + struct.pack(">Q", 7) + b"AYNL" + clordid + b"\0\0"
        )

    def _cancel(self, urn: int, quantity: int) -> None:
        order = self.open.get(urn)
        if order is None or quantity >= order.quantity:
            self.log.append(Seen("cancel_unknown", urn))
            return
        gone = order.quantity - quantity
        order.quantity = quantity
        if quantity == 0:
            del self.open[urn]
        self.log.append(Seen("canceled", urn))
        self._respond(b"C" + self._stamp() + struct.pack(">II", urn, gone) + b"U")

    def _stamp(self) -> bytes:
        return struct.pack(">Q", DAY_START_NS + len(self.stream))

    def _respond(self, payload: bytes) -> None:
        self.stream.append(payload)
        for connection in self._connections.values():
            if connection.is_logged_in:
                with contextlib.suppress(OSError):
                    connection.socket.sendall(framed(b"S", payload))
