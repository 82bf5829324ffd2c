"""An engine's side of the link, for tests: says exactly what it is told to, however wrong."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from engine.contract.link import clordid, frame, frames
from tests.support.waiting import until

USER, PASSWORD = "eng1", "secret"


def order_bytes(
    urn: int,
    order_id: str,
    *,
    symbol: str = "AAPL",
    quantity: int = 100,
    price_e4: int = 10_000,
    side: str = "B",
) -> bytes:
    """OUCH Enter Order with an empty appendage, 47 bytes."""
    head = struct.pack(">cIcI8sQ", b"O", urn, side.encode(), quantity, symbol.ljust(8).encode(), price_e4)
    return head + b"0YAYN" + order_id.encode() + b"\0\0"


def replace_bytes(
    original: int, urn: int, order_id: str, *, quantity: int = 50, price_e4: int = 10_000
) -> bytes:
    """OUCH Replace Order with an empty appendage, 40 bytes."""
    return (
        struct.pack(">cIIIQ", b"U", original, urn, quantity, price_e4) + b"0YN" + order_id.encode() + b"\0\0"
    )


def cancel_bytes(urn: int) -> bytes:
    """OUCH Cancel Order of the 2023-05 profile: 9 bytes."""
    return struct.pack(">cII", b"X", urn, 0)


class EnginePeer:
    """One connection to a gateway; frames that came are sorted into lists."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = bytearray()
        self.frames: list[tuple[str, bytes]] = []
        self.refusals: list[dict[str, Any]] = []
        self.responses: list[bytes] = []
        self.is_closed = False
        self.epoch = 0
        self.next_urn = 1
        self.nonce = self.expect("n")

    def close(self) -> None:
        """Drop the connection without a word."""
        self.socket.close()
        self.is_closed = True

    def pump(self, timeout_s: float) -> bool:
        """Take what comes within the time; False when the gateway closed."""
        self.socket.settimeout(timeout_s)
        try:
            piece = self.socket.recv(65536)
        except TimeoutError:
            return True
        except OSError:
            piece = b""
        if not piece:
            self.is_closed = True
            return False
        self.unread += piece
        for letter, payload in frames(self.unread):
            if letter == "x":
                self.refusals.append(json.loads(payload))
            if letter == "S":
                self.responses.append(payload)
            self.frames.append((letter, payload))
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        """Read on until CONDITION holds."""
        until(lambda: condition() or (self.pump(0.02) and False))

    def expect(self, *letters: str, timeout_s: float = 10.0) -> bytes:
        """The payload of the next frame with one of these letters; others before it are dropped."""
        end = time.monotonic() + timeout_s
        while True:
            while self.frames:
                letter, payload = self.frames.pop(0)
                if letter in letters:
                    return payload
            if self.is_closed or time.monotonic() > end:
                raise ConnectionError(f"no {letters}; closed: {self.is_closed}, refusals: {self.refusals}")
            self.pump(0.2)

    def wait_refusal(self, code: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """The first refusal with this code."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for refusal in self.refusals:
                if refusal["code"] == code:
                    return refusal
            if not self.pump(0.1) and not any(refusal["code"] == code for refusal in self.refusals):
                break
        raise AssertionError(f"no refusal {code}; got {self.refusals}")

    def hello(
        self, *, slot: str = "a", egress: str = "test", ticket: object = None, contract: str = "1.0.0"
    ) -> dict[str, Any]:
        """Say HELLO; what the gateway answered, `w` or `x`."""
        body = {"contract": contract, "slot": slot, "egress": egress, "ticket": ticket}
        self.send("h", json.dumps(body).encode())
        return dict(json.loads(self.expect("w", "x")))

    def claim(self, epoch: int) -> dict[str, Any]:
        """Say CLAIM; what the gateway answered."""
        self.send("c", struct.pack(">Q", epoch))
        answer = dict(json.loads(self.expect("w", "x")))
        self.epoch = epoch
        self.next_urn = max(self.next_urn, int(answer.get("next_urn", 1)))
        return answer

    def login(self, sequence: int = 0, *, user: str = USER, password: str = PASSWORD) -> str:
        """Log in; `A`, or `J` and the reason, or the code of a refusal."""
        body = user.ljust(6) + password.ljust(10) + " " * 10 + str(sequence).rjust(20)
        self.send("L", body.encode())
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for letter, payload in self.frames:
                if letter in ("A", "J", "x"):
                    return letter + payload[:1].decode() if letter == "J" else letter
            if not self.pump(0.2):
                break
        raise ConnectionError(f"no answer to the login; refusals: {self.refusals}")

    def send(self, letter: str, payload: bytes = b"") -> None:
        """One frame; a gateway that is gone is noticed on the next read."""
        with suppress(OSError):
            self.socket.sendall(frame(letter, payload))

    def beat(
        self, *, standby: bool = False, fresh: bool = True, latched: bool = False, next_feed: int = 1
    ) -> None:
        """One BEAT, as a hot loop says it."""
        self.send("b", struct.pack(">BQ", standby | fresh << 1 | latched << 2, next_feed))

    def order(
        self, sequence: int, urn: int | None = None, epoch: int | None = None, **terms: Any
    ) -> tuple[int, str]:
        """Send a new order; number and ClOrdID."""
        urn = self.next_urn if urn is None else urn
        self.next_urn = max(self.next_urn, urn) + (1 if urn >= self.next_urn else 0)
        order_id = clordid(self.epoch if epoch is None else epoch, sequence)
        self.send("U", order_bytes(urn, order_id, **terms))
        return urn, order_id


def ready_engine(port: int, epoch: int, slot: str = "a") -> EnginePeer:
    """Connected, claimed and logged in; retried while the venue session comes up."""
    end = time.monotonic() + 20
    while True:
        engine = EnginePeer(port)
        engine.hello(slot=slot)
        answer = engine.claim(epoch)
        if "code" in answer:
            engine.close()
            raise ConnectionError(answer["code"])
        if engine.login() == "A":
            return engine
        engine.close()
        if time.monotonic() > end:
            raise ConnectionError("the venue session does not come up")
        time.sleep(0.01)
