"""A network port's parameters, asked of and given to its driver by generic netlink (tuning/nic_table.py).

Reading needs no privilege, setting CAP_NET_ADMIN. A driver answers EOPNOTSUPP to what it does not have, and
leaves an attribute out that it has no value for; both are said as an errno, never as a number.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Self

from agent.netlink import (
    ANSWER_S,
    NESTED,
    NETLINK_GENERIC,
    NLM_F_ACK,
    RECV_BYTES,
    ask_family,
    attribute,
    attributes_of,
    family_number,
    request,
)
from tuning.nic_table import KNOBS, Knob

_HEADER, _DEVICE_NAME = 1, 2
_FORMATS = {1: "=B", 4: "=I"}


class Ethtool:
    """A socket to the kernel's `ethtool` family; a context manager. OSError where the kernel has none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self._family = 0

    def __enter__(self) -> Self:
        """Find the family."""
        try:
            self._socket.bind((0, 0))
            number = family_number(ask_family(self._socket, "ethtool"))
            if number is None:
                raise OSError(errno.EOPNOTSUPP, "this kernel has no netlink family ethtool")
        except OSError:
            self._socket.close()
            raise
        self._family = number
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self._socket.close()

    def get(self, device: str, knob: str) -> tuple[int, int | None]:
        """The value of a parameter, and the driver's maximum of it where it has one; OSError without it."""
        row = KNOBS[knob]
        answer = self._ask(row.get, 0, _header(device))
        other = answer.get(row.unless, b"") if row.unless is not None else b""
        if row.at not in answer or any(other):
            raise OSError(errno.ENODATA, f"the driver of {device} shows no {knob}")
        most = answer.get(row.most) if row.most is not None else None
        return _number(answer[row.at], row), None if most is None else int(struct.unpack("=I", most)[0])

    def set(self, device: str, knob: str, value: int) -> None:
        """Set one parameter; OSError with the kernel's errno."""
        row = KNOBS[knob]
        payload = attribute(row.at, struct.pack(_FORMATS[row.bytes], value))
        self._ask(row.set, NLM_F_ACK, _header(device), payload)

    def _ask(self, command: int, flags: int, *payload: bytes) -> dict[int, bytes]:
        self._socket.settimeout(ANSWER_S)
        self._socket.send(request(self._family, command, flags, *payload))
        return attributes_of(self._socket.recv(RECV_BYTES))


def _header(device: str) -> bytes:
    return attribute(_HEADER | NESTED, attribute(_DEVICE_NAME, device.encode() + b"\0"))


def _number(payload: bytes, row: Knob) -> int:
    if len(payload) != row.bytes:
        raise OSError(errno.ENODATA, "the kernel's answer has another size")
    return int(struct.unpack(_FORMATS[row.bytes], payload)[0])


def name_of(error: OSError) -> str:
    """The errno by its name, as the record keeps it; of the two names of number 95 Python knows the other."""
    if error.errno == errno.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno.errorcode.get(error.errno or 0, "EIO")
