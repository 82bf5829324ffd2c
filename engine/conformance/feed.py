"""The suite's market data: ITCH 5.0 over MoldUDP64 on two unicast lines, and the re-request server."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from engine.conformance.events import EventLog

SESSION = b"CONFORM001"
HEARTBEAT_S = 0.05
BID_E4, ASK_E4 = 990_000, 1_000_000
SYMBOLS = ("HFTA", "HFTB")


def directory(locate: int, symbol: str) -> bytes:
    """ITCH Stock Directory (R), 39 bytes: a symbol's stock locate of the day, sent before anything else."""
    fields = (
        locate,
        symbol.ljust(8).encode(),
        b"Q",
        b"N",
        100,
        b"N",
        b"C",
        b"Z ",
        b"P",
        b"N",
        b"N",
        b"1",
        b"N",
        0,
    )
    return b"R" + struct.pack(">H8x8sccIcc2scccccI", *fields) + b"N"


def add_order(stock: tuple[int, str], reference: int, side: str, shares: int, price_e4: int) -> bytes:
    """ITCH Add Order (A), 36 bytes; tracking number and timestamp do not matter here."""
    locate, symbol = stock
    fields = (locate, reference, side.encode(), shares, symbol.ljust(8).encode(), price_e4)
    return b"A" + struct.pack(">H8xQcI8sI", *fields)


def packet(sequence: int, messages: list[bytes], session: bytes = SESSION) -> bytes:
    """One MoldUDP64 packet; a heartbeat without messages."""
    blocks = b"".join(struct.pack(">H", len(one)) + one for one in messages)
    return session + struct.pack(">QH", sequence, len(messages)) + blocks


class Feed:
    """Publishes on both lines from a thread, with a heartbeat twenty times a second."""

    def __init__(self, address: str, log: EventLog) -> None:
        self._log = log
        self._ports = [_free_port(address), _free_port(address)]
        self._address = address
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.bind((address, 0))
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind((address, 0))
        self._server.settimeout(HEARTBEAT_S)
        self.session = SESSION
        self.answer_most = 1 << 16  # messages of one answer
        self.messages: list[bytes] = []
        # With history every heartbeat carries the session from its first message, so no start has to ask;
        # without it heartbeats are empty, and missed messages stay missed.
        self.running, self.answering, self.history = True, True, True
        self._closing = False
        # A heartbeat between a message's number and its packet would announce a gap that does not exist.
        self._one_at_a_time = threading.Lock()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._answer)]
        self._wake = threading.Event()
        self._locates: dict[str, int] = {}
        for symbol in SYMBOLS:
            self.list_symbol(symbol)
        for thread in self._threads:
            thread.start()

    def configuration(self) -> tuple[list[dict[str, object]], dict[str, object]]:
        """`feeds` and `rerequest` of the engine's configuration."""
        lines = [
            {"line": line, "group": self._address, "port": port, "interface": self._address}
            for line, port in zip("AB", self._ports, strict=True)
        ]
        return lines, {"host": self._address, "port": self._server.getsockname()[1]}

    def close(self) -> None:
        """Stop publishing."""
        self._closing = True
        self._wake.set()
        for thread in self._threads:
            thread.join()
        self._sender.close()
        self._server.close()

    @property
    def next(self) -> int:
        """The next sequence number."""
        return len(self.messages) + 1

    def list_symbol(self, symbol: str, bid_e4: int = BID_E4, ask_e4: int = ASK_E4) -> None:
        """A symbol with 1,000 shares on each side; before the engine starts."""
        locate = self._locates.setdefault(symbol, len(self._locates) + 1)
        self.messages.append(directory(locate, symbol))
        for side, price_e4 in (("B", bid_e4), ("S", ask_e4)):
            self.messages.append(add_order((locate, symbol), self.next, side, 1000, price_e4))

    def publish(self, lines: str, count: int = 1) -> None:
        """New messages on these lines; all of them can be re-requested."""
        with self._one_at_a_time:
            first = self.next
            new: list[bytes] = [
                add_order((1, SYMBOLS[0]), first + n, "B", 100, BID_E4 - 100 - first - n)
                for n in range(count)
            ]
            self.messages += new
            for line in lines:
                self._send(line, packet(first, new, self.session))

    def new_session(self, session: bytes) -> None:
        """Another day: the symbols are listed, and nobody offers anything yet."""
        with self._one_at_a_time:
            self.session = session
            self.messages = [directory(locate, symbol) for symbol, locate in self._locates.items()]
            for line in "AB":
                self._send(line, packet(1, self.messages, session))

    def offer(self, symbol: str, bid_e4: int = BID_E4, ask_e4: int = ASK_E4) -> None:
        """1,000 shares on each side of a symbol that is listed."""
        with self._one_at_a_time:
            first, locate = self.next, self._locates[symbol]
            new = [
                add_order((locate, symbol), first + n, side, 1000, price_e4)
                for n, (side, price_e4) in enumerate((("B", bid_e4), ("S", ask_e4)))
            ]
            self.messages += new
            for line in "AB":
                self._send(line, packet(first, new, self.session))

    def move_ask(self, ask_e4: int) -> None:
        """The first symbol's standing ask goes away and another one comes."""
        with self._one_at_a_time:
            first = self.next
            gone = b"D" + struct.pack(">H8xQ", 1, 3)  # list_symbol numbers orders by their messages
            new = [gone, add_order((1, SYMBOLS[0]), first + 1, "S", 1000, ask_e4)]
            self.messages += new
            for line in "AB":
                self._send(line, packet(first, new, self.session))

    def stray_from(self, address: str, line: str, sequence: int, messages: list[bytes]) -> None:
        """The session's own next packet, as it seems, from somebody else's address."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, suppress(OSError):
            other.bind((address, 0))
            data = packet(sequence, messages, self.session)
            other.sendto(data, (self._address, self._ports["AB".index(line)]))

    def stray(self, line: str, session: bytes, sequence: int, count: int = 0, blocks: bytes = b"") -> None:
        """A datagram that somebody else sends; a COUNT of 0xFFFF is an end of session."""
        self._send(line, session.ljust(10) + struct.pack(">QH", sequence, count) + blocks)

    def garbage(self, line: str) -> None:
        """A datagram that is none of the protocol."""
        self._send(line, b"x")

    def _send(self, line: str, data: bytes) -> None:
        with suppress(OSError):
            self._sender.sendto(data, (self._address, self._ports["AB".index(line)]))

    def _beat(self) -> None:
        while not self._closing:
            with self._one_at_a_time:
                if self.running:
                    again = (
                        packet(1, self.messages, self.session)
                        if self.history
                        else packet(self.next, [], self.session)
                    )
                    for line in "AB":
                        self._send(line, again)
            self._wake.wait(HEARTBEAT_S)

    def _answer(self) -> None:
        while not self._closing:
            try:
                data, peer = self._server.recvfrom(64)
            except TimeoutError:
                continue
            except OSError:
                return
            sequence, count = struct.unpack_from(">QH", data, 10)
            self._log.add("request", (sequence, count))
            wanted = self.messages[sequence - 1 : sequence - 1 + min(count, self.answer_most)]
            if self.answering and wanted:
                self._server.sendto(packet(sequence, wanted, self.session), peer)


def _free_port(address: str) -> int:
    """A free port; the address belongs to this case alone, so no other process takes it meanwhile."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
