"""Ethernet frames around datagrams, packed from the standards' offsets, and ways in which they are wrong.

Nothing here shares code with the engine: RFC 1112 (addresses), 791 (IPv4), 768 (UDP), IEEE 802.1Q (tags).
"""

from __future__ import annotations

import ipaddress
import struct
from enum import StrEnum

from .wires import Cable

ETHERNET, IP, UDP = 14, 20, 8
SOURCE_PORT = 4000


class Defect(StrEnum):
    """What is wrong with a frame."""

    SHORT_IP = "ends within the IP packet"
    BAD_VERSION = "IP version 5, or a header length below 5"
    LONG_TOTAL = "an IP length behind the frame's end"
    SHORT_TOTAL = "an IP length that holds no UDP header"
    UDP_LENGTH = "a UDP length that contradicts IP's"
    IP_CHECKSUM = "a damaged IP header"
    UDP_CHECKSUM = "a damaged payload"
    FRAGMENT = "a first and a later fragment"
    TAGGED = "another VLAN"
    NOT_IP = "another EtherType"
    OTHER_MAC = "another destination address of Ethernet"
    OTHER_GROUP = "another group, same Ethernet address"
    OTHER_PORT = "another port"
    OTHER_PROTOCOL = "TCP by its number"

    @property
    def counted_as(self) -> str | None:
        """The counter that must show it; None: the kernel under net_af_packet puts fragments together."""
        if self in (Defect.IP_CHECKSUM, Defect.UDP_CHECKSUM):
            return "bad_checksum"
        if self is Defect.FRAGMENT:
            return None
        return "malformed" if list(Defect).index(self) < list(Defect).index(Defect.IP_CHECKSUM) else "foreign"


def ones_complement(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(group: str) -> bytes:
    """The Ethernet address of a group: 01:00:5e and its low 23 bits."""
    low = int(ipaddress.IPv4Address(group)) & 0x7FFFFF
    return b"\x01\x00\x5e" + low.to_bytes(3, "big")


def ip_header(source: str, group: str, total: int, *, protocol: int = 17, fragment: int = 0x4000) -> bytes:
    """Twenty bytes, with their checksum."""
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(group).packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, total, 1, fragment, 1, protocol, 0) + addresses
    return head[:10] + struct.pack(">H", ones_complement(head)) + head[12:]


def udp_frame(cable: Cable, payload: bytes, *, group: str | None = None, port: int | None = None) -> bytes:
    """A clean frame to the line's group and port."""
    group, port = group or cable.group, port or cable.port
    length = UDP + len(payload)
    source = ipaddress.IPv4Address(cable.site_address).packed
    pseudo = source + ipaddress.IPv4Address(group).packed + struct.pack(">BBH", 0, 17, length)
    head = struct.pack(">HHH", SOURCE_PORT, port, length)
    checksum = ones_complement(pseudo + head + b"\0\0" + payload) or 0xFFFF
    packet = ip_header(cable.site_address, group, IP + length) + head + struct.pack(">H", checksum) + payload
    return ethernet(group) + b"\x02\0\0\0\0\x01" + b"\x08\0" + packet


def damaged(clean: bytes, defect: Defect) -> list[bytes]:
    """Frames with this defect, each made from a clean one."""
    end = len(clean)
    udp_length = ETHERNET + IP + 4
    frames: dict[Defect, list[bytes]] = {
        Defect.SHORT_IP: [clean[:length] for length in (ETHERNET, ETHERNET + 1, ETHERNET + IP, end - 1)],
        Defect.BAD_VERSION: [_with_head(clean, first=first) for first in (0x55, 0x44, 0x40)],
        Defect.LONG_TOTAL: [_with_head(clean, total=total) for total in (end - ETHERNET + 1, 1500, 65535)],
        Defect.SHORT_TOTAL: [_with_head(clean, total=total) for total in (0, 19, 20, 27)],
        Defect.UDP_LENGTH: [
            _patched(clean, udp_length, struct.pack(">H", length))
            for length in (0, 7, end - ETHERNET - IP + 1, 65535)
        ],
        Defect.IP_CHECKSUM: [_flipped(clean, ETHERNET + at) for at in (1, 4, 8, 10, 15)],
        Defect.UDP_CHECKSUM: [_flipped(clean, at) for at in (42, 50, end - 1)],
        Defect.FRAGMENT: [_with_head(clean, fragment=field) for field in (0x2000, 0x0001, 0x20B9)],
        Defect.TAGGED: [clean[:12] + b"\x81\x00" + struct.pack(">H", vlan) + clean[12:] for vlan in (1, 100)],
        Defect.NOT_IP: [_patched(clean, 12, kind) for kind in (b"\x08\x06", b"\x86\xdd", b"\x00\x2e")],
        Defect.OTHER_MAC: [_patched(clean, 0, mac) for mac in (b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01")],
        Defect.OTHER_GROUP: [_regrouped(clean)],
        Defect.OTHER_PORT: [_with_port(clean, port) for port in (26401, 26399, 0)],
        Defect.OTHER_PROTOCOL: [_with_head(clean, protocol=6)],
    }
    return frames[defect]


def _flipped(frame: bytes, at: int) -> bytes:
    return _patched(frame, at, bytes([frame[at] ^ 0x40]))


def _patched(frame: bytes, at: int, new: bytes) -> bytes:
    return frame[:at] + new + frame[at + len(new) :]


def _with_head(frame: bytes, **changes: int) -> bytes:
    """The same frame with fields of its IP header changed and the header's checksum right again."""
    head = bytearray(frame[ETHERNET : ETHERNET + IP])
    head[0] = changes.get("first", head[0])
    head[9] = changes.get("protocol", head[9])
    for name, at in (("total", 2), ("fragment", 6)):
        if name in changes:
            head[at : at + 2] = struct.pack(">H", changes[name])
    head[10:12] = b"\0\0"
    head[10:12] = struct.pack(">H", ones_complement(bytes(head)))
    return _patched(frame, ETHERNET, bytes(head))


def _resummed(frame: bytes) -> bytes:
    """With the UDP checksum that its bytes ask for."""
    ip, udp = frame[ETHERNET : ETHERNET + IP], frame[ETHERNET + IP :]
    pseudo = ip[12:20] + struct.pack(">BBH", 0, 17, len(udp))
    checksum = ones_complement(pseudo + udp[:6] + b"\0\0" + udp[8:]) or 0xFFFF
    return _patched(frame, ETHERNET + IP + 6, struct.pack(">H", checksum))


def _regrouped(frame: bytes) -> bytes:
    """One of the 31 other groups that share the Ethernet address; both checksums are right."""
    group = struct.unpack_from(">I", frame, ETHERNET + 16)[0] ^ 0x01000000
    return _resummed(_with_head(_patched(frame, ETHERNET + 16, struct.pack(">I", group))))


def _with_port(frame: bytes, port: int) -> bytes:
    return _resummed(_patched(frame, ETHERNET + IP + 2, struct.pack(">H", port)))
