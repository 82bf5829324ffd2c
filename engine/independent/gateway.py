"""The session at the order gateway: nonce, HELLO, CLAIM, login, then orders; without blocking the loop."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from engine.independent import text, wire
from engine.independent.config import CONTRACT, LINK_SILENCE_MS, Config
from engine.independent.mutants import broken

HEARTBEAT_NS = 500_000_000
RETRY_NS = 100_000_000
ANSWER_NS = 5_000_000_000

Event = Callable[[dict[str, Any]], None]


class GatewayLink:
    """One connection at a time; events go to the engine as journaled inputs."""

    def __init__(
        self, config: Config, event: Event, response: Callable[[bytes], None], beat: Callable[[], bytes]
    ) -> None:
        self._config, self._event, self._response, self._said = config.values, event, response, beat
        self.socket: socket.socket | None = None
        self._in, self._out = bytearray(), bytearray()
        self.phase = "down"
        self.epoch = 0
        self.sequence = 1
        self._next_urn = 1
        self._sent_ns = self._begun_ns = self._heard_ns = self._beaten_ns = self._beat_every_ns = 0
        self._silence_ns = self._config.get("link_silence_max_ms", LINK_SILENCE_MS) * 1_000_000

    def connect(self, epoch: int, sequence: int) -> None:
        """Start a connection that claims EPOCH and requests responses from SEQUENCE."""
        self.close()
        self.epoch, self.sequence, self._begun_ns = epoch, sequence, time.monotonic_ns()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        address = self._config["gateway"]
        self.socket.connect_ex((address["host"], address["port"]))
        self.phase = "nonce"

    def close(self) -> None:
        """Drop the connection without an event."""
        if self.socket is not None:
            self.socket.close()
        self.socket, self.phase = None, "down"
        self._in.clear()
        self._out.clear()

    def may_retry(self) -> bool:
        """Whether it is time for the next attempt."""
        return self.socket is None and time.monotonic_ns() - self._begun_ns >= RETRY_NS

    def send(self, message: bytes) -> None:
        """One order message."""
        self._put(wire.frame("U", message))

    def _put(self, data: bytes) -> None:
        self._out += data
        self._sent_ns = time.monotonic_ns()
        self.flush()

    def flush(self) -> None:
        """Write pending bytes."""
        if self.socket is None or not self._out:
            return
        try:
            del self._out[: self.socket.send(self._out)]
        except BlockingIOError:
            return
        except OSError:
            return  # the read will report it

    def turn(self) -> None:
        """Read, write and keep the session alive."""
        if self.socket is None:
            return
        self.flush()
        now = time.monotonic_ns()
        if self.phase == "up" and now - self._sent_ns > HEARTBEAT_NS and not broken("link.heartbeat"):
            self._put(wire.frame("R"))
        self._beat(now)
        if self.phase != "up" and now - self._begun_ns > ANSWER_NS:
            self._lost({"up": False, "code": "gateway", "detail": f"no answer in phase {self.phase}"})
            return
        if self.phase == "up" and now - self._heard_ns > self._silence_ns and not broken("link.peer_dead"):
            self._lost({"up": False, "code": "gateway", "detail": "silent for too long"})
            return
        self._read()

    def _beat(self, now: int) -> None:
        is_asked = self._beat_every_ns > 0 and not broken("link.beats")
        if self.phase == "up" and is_asked and now - self._beaten_ns >= self._beat_every_ns:
            self._beaten_ns = now
            self._put(wire.frame("b", self._said()))

    def _read(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard_ns = time.monotonic_ns() if data else self._heard_ns
        self._in += data
        try:
            frames = wire.take_frames(self._in)
        except wire.BrokenStreamError as error:
            self._lost({"up": False, "code": "gateway", "detail": str(error)})
            return
        for letter, payload in frames:
            if self.socket is not None:
                self._packet(letter, payload)
        if not data and self.socket is not None:
            self._lost({"up": False, "code": "gateway", "detail": "connection ended"})

    def _lost(self, event: dict[str, Any]) -> None:
        self.close()
        self._event(event)

    def _packet(self, letter: str, payload: bytes) -> None:
        match letter, self.phase:
            case "n", "nonce":
                self._hello()
            case "w", "hello":
                self._welcomed(payload)
                self.phase = "claim"
                self._put(wire.frame("c", struct.pack(">Q", self.epoch)))
            case "w", "claim":
                self._welcomed(payload)
                self.phase = "login"
                self._login()
            case "A", "login":
                self.phase = "replay"
                if broken("link.claim"):
                    self._put(wire.frame("c", struct.pack(">Q", self.epoch)))
                if broken("link.replayed"):
                    self._up()
            case "m", "replay":
                self._up()
            case "S", _:
                self._response(payload)
            case "x" | "J", _:
                self._refused(payload if letter == "x" else b'{"code":"gateway","detail":"login"}')
            case _:  # heartbeats, and what has no meaning in this phase
                pass

    def _up(self) -> None:
        self.phase = "up"
        self._event({"up": True, "next_urn": self._next_urn})

    def _hello(self) -> None:
        slot = "z" if broken("link.hello") else self._config["slot"]
        hello = {"contract": CONTRACT, "slot": slot, "egress": self._config["egress"], "ticket": None}
        self.phase = "hello"
        self._put(wire.frame("h", text.canonical(hello)))

    def _login(self) -> None:
        to = self._config["gateway"]
        session = str(to.get("session", ""))
        self._put(wire.login(str(to["user"]), str(to["password"]), session, self.sequence))

    def _welcomed(self, payload: bytes) -> None:
        with contextlib.suppress(ValueError):
            said = text.load(payload)
            self._next_urn = max(1, int(said.get("next_urn", 1)))
            self._beat_every_ns = int(said.get("beat_ms", 0)) * 1_000_000

    def _refused(self, payload: bytes) -> None:
        try:
            said = text.load(payload)
        except ValueError:
            said = {}
        event = {"up": False, "code": said.get("code", "gateway"), "detail": said.get("detail", "")}
        if self.phase == "up" and event["code"] != "stale_epoch":
            self._event({**event, "urn": said.get("urn")})
        else:
            self._lost(event)


def drop_copy_positions(host: str, port: int, user: str, password: str) -> dict[str, int] | None:
    """Positions from the account's responses of the day; None when the drop copy does not answer."""
    positions: dict[str, int] = {}
    orders: dict[int, tuple[str, int]] = {}
    buffer = bytearray()
    try:
        with socket.create_connection((host, port), timeout=2) as peer:
            peer.sendall(wire.login(user, password, "", 1))
            while data := peer.recv(65536):
                buffer += data
                for letter, payload in wire.take_frames(buffer):
                    if letter == "H":
                        return {symbol: held for symbol, held in positions.items() if held}
                    _copy(payload if letter == "S" else b"", orders, positions)
    except (OSError, wire.BrokenStreamError):
        return None
    return None


def _copy(payload: bytes, orders: dict[int, tuple[str, int]], positions: dict[str, int]) -> None:
    found = wire.response(payload)
    if found is None:
        return
    if found.type in ("A", "U"):
        orders[found.urn] = (found.symbol, 1 if found.side == "B" else -1)
    elif found.type == "E" and found.urn in orders:
        symbol, sign = orders[found.urn]
        positions[symbol] = positions.get(symbol, 0) + sign * found.quantity
