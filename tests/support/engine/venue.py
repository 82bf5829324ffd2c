"""A venue under test: the real program on loopback, two feed lines to listen on, an outside client.

Nothing here shares code with the venue: OUCH is packed by `struct` from the specification's offsets, sessions
are Nasdaq's own Python client, datagrams are read from plain sockets.
"""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasdaq_protocols import soup

from tests.support.waiting import until

ACCOUNTS = [
    {"user": "ALICE", "password": "secret", "firm": "ALFA", "cancel_on_disconnect": True},
    {"user": "KEEP", "password": "secret", "firm": "KILO", "cancel_on_disconnect": False},
    {"user": "BOB", "password": "secret", "firm": "BETA", "cancel_on_disconnect": False},
    {"user": "GUARD", "password": "secret", "firm": "ALFA", "cancel_on_disconnect": False},
]
PATIENCE_S = 10.0
QUIET_S = 0.15


def enter(urn: int, side: str, quantity: int, symbol: str, price: int, **other: Any) -> bytes:
    """Enter Order, OUCH 5.0 section 2.1."""
    fixed = struct.pack(
        ">cIcI8sQccccc14sH",
        b"O", urn, side.encode(), quantity, symbol.ljust(8).encode(), price,
        other.get("tif", "0").encode(), other.get("display", "Y").encode(), b"P", b"N", b"N",
        other.get("clordid", f"00001{urn:08d}").ljust(14).encode(), 0,
    )  # fmt: skip
    assert len(fixed) == 47
    return fixed


def replace(original: int, urn: int, quantity: int, price: int) -> bytes:
    """Replace Order, section 2.2."""
    clordid = f"00001{urn:08d}".ljust(14).encode()
    return struct.pack(">cIIIQccc14sH", b"U", original, urn, quantity, price, b"0", b"Y", b"N", clordid, 0)


def cancel(urn: int, quantity: int = 0) -> bytes:
    """Cancel Order in its 9 byte form, section 2.3."""
    return struct.pack(">cII", b"X", urn, quantity)


class Loop:
    """The asyncio loop of the outside clients, in a thread of its own for as long as a rig lives."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()


class Client:
    """One session of Nasdaq's own SoupBinTCP client; `got` holds the sequenced messages in order."""

    def __init__(
        self, loop: Loop, at: tuple[str, int], user: str, *, password: str, sequence: int, session: str
    ) -> None:
        self.loop = loop
        self.got: queue.Queue[bytes] = queue.Queue()
        self.closed = threading.Event()
        self.session = loop.run(
            soup.connect_async(
                at, user, password, session_id=session, sequence=sequence,
                on_msg_coro=self._hear, on_close_coro=self._end,
            )
        )  # fmt: skip

    async def _hear(self, message: Any) -> None:
        if isinstance(message, soup.SequencedData):
            self.got.put(bytes(message.data))

    async def _end(self) -> None:
        self.closed.set()

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.loop.call(self.session.send_unseq_data, message)

    def receive(self, timeout_s: float = PATIENCE_S) -> bytes | None:
        """The next sequenced message; None when the line stays silent."""
        try:
            return self.got.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def expect(self, types: str) -> list[bytes]:
        """Exactly these message types next, in order."""
        found = [self.receive() or b"?" for _ in types]
        assert "".join(chr(message[0]) for message in found) == types
        return found

    def silent(self) -> bool:
        return self.receive(QUIET_S) is None

    def close(self) -> None:
        self.loop.run(self.session.close())


@dataclass
class Listener:
    """One feed line: every datagram as it came."""

    socket: socket.socket
    datagrams: list[bytes] = field(default_factory=list)
    host: str = "127.0.0.1"

    @property
    def target(self) -> str:
        return f"{self.host}:{self.socket.getsockname()[1]}"

    def drain(self) -> list[bytes]:
        while True:
            try:
                self.datagrams.append(self.socket.recv(2048))
            except BlockingIOError:
                return self.datagrams

    def messages(self) -> dict[int, bytes]:
        """Sequence number to ITCH message, over all datagrams so far."""
        found: dict[int, bytes] = {}
        for datagram in self.drain():
            found.update(blocks(datagram))
        return found

    def through(self, sequence: int) -> dict[int, bytes]:
        """All messages, once the one numbered `sequence` is there."""
        until(lambda: sequence in self.messages(), f"message {sequence}")
        return self.messages()


def blocks(datagram: bytes) -> dict[int, bytes]:
    """The messages of one MoldUDP64 datagram by sequence number; none in heartbeats and at the end."""
    first, count = struct.unpack_from(">QH", datagram, 10)
    found: dict[int, bytes] = {}
    at = 20
    for index in range(0 if count == 0xFFFF else count):
        (length,) = struct.unpack_from(">H", datagram, at)
        found[first + index] = datagram[at + 2 : at + 2 + length]
        at += 2 + length
    assert at == len(datagram)
    return found


class VenueRig:
    """The running program, its admin socket, its log and its two lines."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack, config: dict[str, Any]) -> None:
        self.stack = stack
        self.loop = Loop()
        stack.callback(self.loop.close)
        given = config.pop("lines", None)
        self.lines = given or {name: stack.enter_context(_line()) for name in ("A", "B")}
        self.lines |= config.pop("extra_lines", {})
        self.log_path = folder / "venue.jsonl"
        self.admin_path = folder / "venue.sock"
        faults: dict[str, dict[str, Any]] = config.pop("faults", {})
        config.setdefault("symbols", ["AAA", "BBB"])
        lines = [
            {"name": name, "targets": [line.target], "faults": faults.get(name, {})}
            for name, line in self.lines.items()
        ]
        config["feed"] = {"heartbeat_ms": 100, "lines": lines} | config.get("feed", {})
        self.host = config.get("orders", "127.0.0.1:0").partition(":")[0]
        config |= {"log": str(self.log_path), "admin": str(self.admin_path)}
        path = folder / "venue.json"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen([program, "--config", path], stdout=subprocess.PIPE, text=True)
        stack.callback(self.must_have_lived)
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())

    def client(self, user: str, sequence: int = 0, *, password: str = "secret", session: str = "") -> Client:
        at = (self.host, self.ready["order_port"])
        client = Client(self.loop, at, user, password=password, sequence=sequence, session=session)
        self.stack.callback(client.close)
        return client

    def admin(self, verb: str, **arguments: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.admin_path))
            peer.sendall(json.dumps({"verb": verb} | arguments).encode() + b"\n")
            answer = peer.makefile().readline()
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        whole, _, _ = self.log_path.read_text().rpartition("\n")  # the last line may still be on its way
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def request(self, first: int, count: int) -> dict[int, bytes]:
        """Ask the retransmission server; what it answered within patience."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE_S)
            header = struct.pack(">10sQH", self.ready["session"].ljust(10).encode(), first, count)
            peer.sendto(header, ("127.0.0.1", self.ready["retransmit_port"]))
            return blocks(peer.recv(2048))

    def must_have_lived(self) -> None:
        """A venue that crashed, or that a sanitizer complained about, fails the test that used it."""
        assert self.stop() == 0

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@contextmanager
def _line() -> Iterator[Listener]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        line.bind(("127.0.0.1", 0))
        line.setblocking(False)
        yield Listener(line)
