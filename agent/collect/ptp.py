"""Whether this host's clock follows a grandmaster, and how far off it is, asked of ptp4l by its own socket.

The management messages of IEEE 1588-2008, clause 15, over the datagram socket that pmc(8) uses: no process a
look, and no text to guess at. An offset is told only while a port follows a grandmaster: without one it reads
0, and nothing is kept by it.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing

from agent.collect.sample import Sample, UnreadError, sample
from agent.host import HostRoot
from tuning.units import PTP4L_CONF

SOCKET = "/run/hft-clock/ptp4l"
TIMEOUT_S = 0.2
CURRENT_DATA_SET, PORT_DATA_SET, TIME_STATUS_NP = 0x2001, 0x2004, 0xC000
FOLLOWING = frozenset({8, 9})  # UNCALIBRATED, SLAVE: IEEE 1588-2008, table 8
HEADER = struct.Struct(">BBHBBHqI8sHHBb")  # clause 13.3
MANAGEMENT = struct.Struct(">8sHBBBBHHH")  # clause 15.4: target, hops, action, TLV
EVERYBODY = (b"\xff" * 8, 0xFFFF)
GET, RESPONSE, TLV = 0, 2, 1


def get(domain: int, identifier: int, sequence: int) -> bytes:
    """A GET for a data set."""
    size = HEADER.size + MANAGEMENT.size
    head = HEADER.pack(0x0D, 2, size, domain, 0, 0, 0, 0, b"\0" * 8, 1, sequence, 4, 0x7F)
    return head + MANAGEMENT.pack(*EVERYBODY, 0, 0, GET, 0, TLV, 2, identifier)


def answered(message: bytes, identifier: int, sequence: int) -> bytes | None:
    """The data set in a RESPONSE to that GET; None for any other message."""
    if len(message) < HEADER.size + MANAGEMENT.size:
        return None
    head = HEADER.unpack_from(message)
    *_, action, _, kind, size, seen = MANAGEMENT.unpack_from(message, HEADER.size)
    if (head[0] & 0x0F, head[10], action & 0x0F, kind, seen) != (0x0D, sequence, RESPONSE, TLV, identifier):
        return None
    data = message[HEADER.size + MANAGEMENT.size :]
    return data[: size - 2] if size - 2 <= len(data) else None


def ask(path: str, domain: int) -> Mapping[int, bytes]:
    """The data sets as the ptp4l at PATH has them; UnreadError when it does not answer in this domain."""
    found = {}
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as asking:
        asking.settimeout(TIMEOUT_S)
        asking.bind("")  # an address that the kernel chooses, without a file (unix(7), autobind)
        asking.connect(path)
        for sequence, identifier in enumerate((TIME_STATUS_NP, CURRENT_DATA_SET, PORT_DATA_SET), start=1):
            asking.send(get(domain, identifier, sequence))
            try:
                data = answered(asking.recv(2048), identifier, sequence)
            except TimeoutError as error:
                raise UnreadError(f"ptp4l does not answer in domain {domain}") from error
            if data is None:
                raise UnreadError(f"ptp4l answered something else to {identifier:#06x}")
            found[identifier] = data
    return found


def of_answers(found: Mapping[int, bytes]) -> Iterator[Sample]:
    """What the data sets say; UnreadError for one that is too short."""
    try:
        offset_ns, ingress_ns = struct.unpack_from(">qq", found[TIME_STATUS_NP])
        (has_grandmaster,) = struct.unpack_from(">i", found[TIME_STATUS_NP], 38)
        (delay,) = struct.unpack_from(">q", found[CURRENT_DATA_SET], 10)
        (state,) = struct.unpack_from(">B", found[PORT_DATA_SET], 10)
    except struct.error as error:
        raise UnreadError(f"a data set of ptp4l is cut off: {error}") from error
    follows = bool(has_grandmaster) and ingress_ns != 0 and state in FOLLOWING
    yield sample("hft_ptp_following", follows)
    if follows:
        yield sample("hft_ptp_offset_seconds", offset_ns / 1e9)
        yield sample("hft_ptp_path_delay_seconds", delay / 65_536 / 1e9)


def samples(host: HostRoot) -> Iterator[Sample]:
    """The clock of a host that has a part in PTP; nothing of another.

    Raises: UnreadError, OSError.
    """
    text = host.read(PTP4L_CONF)
    if text is None or not host.is_live or "\nslaveOnly 1\n" not in text:
        return
    domain = re.search(r"^domainNumber (\d{1,3})$", text, re.MULTILINE)
    if domain is None:
        raise UnreadError(f"{PTP4L_CONF} names no domain")
    yield from of_answers(ask(host.path(SOCKET), int(domain[1])))
