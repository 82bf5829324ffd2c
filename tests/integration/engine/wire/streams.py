"""Reading ITCH files and writing captures without any of our own code, for the oracle tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import itch.messages as itchfeed

LENGTHS = {letter: kind.message_size for letter, kind in itchfeed.messages.items()}
UDP_PORT = 26477
TCP_PORT = 26478


def messages_of(path: Path, by_type: bool = False) -> Iterator[bytes]:
    """Messages of a file of length2 + message; `by_type` for files whose lengths are all zero."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        length = LENGTHS[data[at + 2 : at + 3]] if by_type else int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def with_lengths(messages: Iterable[bytes]) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def ipv4(protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet from loopback to loopback; checksums stay zero, which readers of captures accept."""
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
    )
    return header + payload


def udp(payload: bytes) -> bytes:
    return ipv4(17, struct.pack("!HHHH", 50000, UDP_PORT, 8 + len(payload), 0) + payload)


def tcp(payload: bytes, sequence: int, from_server: bool) -> bytes:
    """One data segment of a connection whose handshake the capture missed."""
    ports = (TCP_PORT, 50000) if from_server else (50000, TCP_PORT)
    return ipv4(6, struct.pack("!HHIIBBHHH", *ports, sequence, 1, 0x50, 0x18, 65535, 0, 0) + payload)


def pcap(packets: Iterable[bytes]) -> bytes:
    """A capture file of raw IP packets (link type 101), one a millisecond."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, packet in enumerate(packets):
        out += struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(packet), len(packet)) + packet
    return out
