"""Where received frames go: hash key, table and fields of RSS, and flow rules, by the ioctl SIOCETHTOOL.

Every kernel has the ioctl; netlink sets a table from 6.17 only, and no flow rule. Numbers and layouts, of a
64 bit kernel: include/uapi/linux/ethtool.h (struct ethtool_rxfh, ethtool_rxnfc, ethtool_rx_flow_spec).

A value is words (tuning/nic_table.py). What they cannot say is kept exactly, so that it can be set back: a
table that is no even spread as `=QUEUE` of each entry, a rule of other fields as `raw/` and its bytes.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from tuning.nic_table import FLOW_PROTOCOLS, Value, Words

SIOCETHTOOL = 0x8946
_GRXFH, _SRXFH, _GRSSH, _SRSSH = 0x29, 0x2A, 0x46, 0x47
_COUNT, _RULE, _ALL, _DELETE, _INSERT = 0x2E, 0x2F, 0x30, 0x31, 0x32  # ETHTOOL_GRXCLSRLCNT and its siblings
_RSS = struct.Struct("=IIIIBBHI")  # command, context, entries, bytes of key, function, transform, reserved
_NO_CHANGE = 0xFFFFFFFF
_RULES = struct.Struct("=IIQ168sI")  # command, kind, data, struct ethtool_rx_flow_spec, count
_SPEC = struct.Struct("=I52s20s52s20s4xQI4x")  # kind, fields, more, their masks, queue, location
_IPV4 = struct.Struct("=4s4s2s2sB39x")  # struct ethtool_tcpip4_spec in its union: source, destination, ports
_SPECIAL, _ANYWHERE = 0x80000000, 0xFFFFFFFF  # RX_CLS_LOC_SPECIAL, RX_CLS_LOC_ANY
_PATTERN_BYTES_MAX = 8
_RULES_MAX = 4096
_HASHED = {"rss.tcp4": 1, "rss.udp4": 2}  # TCP_V4_FLOW, UDP_V4_FLOW


class Steering:
    """A socket for the ioctl; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def get(self, device: str, knob: str) -> Value:
        """The value of a parameter; OSError as the driver answers."""
        if knob in _HASHED:
            said = self._call(device, struct.pack("=IIQ", _GRXFH, _HASHED[knob], 0), _RULES.size + 4)
            return int(struct.unpack_from("=Q", said, 8)[0])
        if knob == "flows":
            return tuple(sorted(word for _, word in self._rules(device)))
        table, key, _ = self._rss(device)
        found = key_words(key) if knob == "rss.key" else table_words(table)
        if not found:
            raise OSError(errno.ENODATA, f"the driver of {device} shows no {knob}")
        return found

    def set(self, device: str, knob: str, value: Value) -> None:
        """Set one parameter; OSError as the driver answers."""
        if isinstance(value, int):
            self._call(device, struct.pack("=IIQ", _SRXFH, _HASHED[knob], value), _RULES.size + 4)
        elif knob == "flows":
            self._steer(device, value)
        else:
            table, key, transform = self._rss(device)
            entries, data = _NO_CHANGE, b""
            if knob == "rss.key":
                data = key_of(value, len(key))
            else:
                spread = table_of(value, len(table))
                entries, data = len(spread), struct.pack(f"={len(spread)}I", *spread)
            size = len(data) if knob == "rss.key" else 0
            self._call(device, _RSS.pack(_SRSSH, 0, entries, size, 0, transform, 0, 0) + data)

    def _rss(self, device: str) -> tuple[tuple[int, ...], bytes, int]:
        """Table, key, and how input is transformed before it is hashed."""
        said = self._call(device, _RSS.pack(_GRSSH, 0, 0, 0, 0, 0, 0, 0))
        _, _, entries, size, *_ = _RSS.unpack_from(said)
        head = _RSS.pack(_GRSSH, 0, entries, size, 0, 0, 0, 0)
        said = self._call(device, head, _RSS.size + 4 * entries + size)
        table = struct.unpack_from(f"={entries}I", said, _RSS.size)
        key = said[_RSS.size + 4 * entries :][:size]
        return table, key, _RSS.unpack_from(said)[5]

    def _steer(self, device: str, wanted: Words) -> None:
        """Delete the rules that are not wanted, insert those that are missing."""
        kept: set[str] = set()
        for location, word in self._rules(device):
            if word in wanted and word not in kept:
                kept.add(word)
            else:
                self._call(device, _rule_request(_DELETE, location))
        for word in wanted:
            if word not in kept:
                spec = bytearray(spec_of(word))
                if word.partition("/")[0] in FLOW_PROTOCOLS:
                    struct.pack_into("=I", spec, _SPEC.size - 8, self._free(device))
                self._call(device, _RULES.pack(_INSERT, 0, 0, bytes(spec), 0), _RULES.size + 4)

    def _rules(self, device: str) -> Iterator[tuple[int, str]]:
        """Location and word of every rule."""
        for location in self._locations(device)[0]:
            said = self._call(device, _rule_request(_RULE, location))
            yield location, word_of(_RULES.unpack_from(said)[3])

    def _locations(self, device: str) -> tuple[tuple[int, ...], int | None]:
        """Where rules are, and how many places there are; None where the driver chooses one itself."""
        said = self._call(device, _RULES.pack(_COUNT, 0, 0, b"", 0), _RULES.size + 4)
        _, _, data, _, count = _RULES.unpack_from(said)
        count = min(count, _RULES_MAX)
        said = self._call(device, _RULES.pack(_ALL, 0, 0, b"", count), _RULES.size + 4 * count + 4)
        _, _, size, _, seen = _RULES.unpack_from(said)
        found = struct.unpack_from(f"={min(count, seen)}I", said, _RULES.size)
        return found, None if data & _SPECIAL else min(size, _RULES_MAX)

    def _free(self, device: str) -> int:
        """A location for one more rule; ENOSPC where the driver has none."""
        taken, size = self._locations(device)
        if size is None:
            return _ANYWHERE
        free = next((one for one in range(size) if one not in taken), None)
        if free is None:
            raise OSError(errno.ENOSPC, f"the {size} places of {device} for flow rules are taken")
        return free

    def _call(self, device: str, request: bytes, size: int = 0) -> bytes:
        """One request; its memory after the kernel answered in it."""
        memory = array.array("B", request.ljust(size, b"\0"))
        fcntl.ioctl(
            self._socket.fileno(),
            SIOCETHTOOL,
            struct.pack("16sP16x", device.encode(), memory.buffer_info()[0]),
        )
        return memory.tobytes()


def _rule_request(command: int, location: int) -> bytes:
    spec = _SPEC.pack(0, b"", b"", b"", b"", 0, location)
    return _RULES.pack(command, 0, 0, spec, 0).ljust(_RULES.size + 4, b"\0")


def table_words(table: Sequence[int]) -> Words:
    """The queues of an even spread in their order; else every entry."""
    queues = sorted(set(table))
    even = all(queue == queues[at % len(queues)] for at, queue in enumerate(table))
    return tuple(str(queue) for queue in queues) if even else tuple(f"={queue}" for queue in table)


def table_of(words: Words, entries: int) -> tuple[int, ...]:
    """The table that words mean, of so many entries."""
    queues = [int(word.lstrip("=")) for word in words]
    return tuple(queues[at % len(queues)] for at in range(entries))


def queues_of(words: Words) -> int:
    """How many queues a port has to have for a table."""
    return max(int(word.lstrip("=")) for word in words) + 1


def key_words(key: bytes) -> Words:
    """The shortest pattern that a key repeats, or all of it."""
    for size in range(1, min(_PATTERN_BYTES_MAX, len(key)) + 1):
        if key_of((key[:size].hex(),), len(key)) == key:
            return (key[:size].hex(),)
    return (key.hex(),) if key else ()


def key_of(words: Words, size: int) -> bytes:
    """A pattern, repeated until it is a key of this size."""
    pattern = bytes.fromhex(words[0])
    return (pattern * (size // len(pattern) + 1))[:size]


def spec_of(word: str) -> bytes:
    """The rule of a word: PROTOCOL/ADDRESS/PORT/QUEUE (PORT may be `any`), or `raw/` and its bytes."""
    kind, *rest = word.split("/")
    if kind == "raw":
        return bytes.fromhex(rest[0])
    address, port, queue = rest
    number = b"" if port == "any" else int(port).to_bytes(2, "big")
    fields = _IPV4.pack(b"", IPv4Address(address).packed, b"", number, 0)
    mask = _IPV4.pack(b"", b"\xff" * 4, b"", b"\xff" * len(number), 0)
    return _SPEC.pack(FLOW_PROTOCOLS[kind], fields, b"", mask, b"", int(queue), 0)


def word_of(spec: bytes) -> str:
    """The word of a rule: one that `spec_of` could have made, else its bytes."""
    kind, fields, _, mask, _, queue, _ = _SPEC.unpack(spec)
    _, address, _, port, _ = _IPV4.unpack(fields)
    protocol = next((name for name, number in FLOW_PROTOCOLS.items() if number == kind), "raw")
    named = "any" if _IPV4.unpack(mask)[3] == b"\0\0" else str(int.from_bytes(port, "big"))
    word = f"{protocol}/{IPv4Address(address)}/{named}/{queue}"
    same = protocol != "raw" and queue < _ANYWHERE and spec_of(word)[:-8] == spec[:-8]
    return word if same else f"raw/{spec.hex()}"
