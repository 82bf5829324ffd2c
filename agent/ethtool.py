"""A network port's parameters, asked of and given to its driver by generic netlink (tuning/nic_table.py).

Reading needs no privilege (wake-on-LAN excepted), setting CAP_NET_ADMIN. A driver answers EOPNOTSUPP to what
it does not have, and leaves an attribute out that it has no value for; both are said as an errno, never as a
number. A feature is one named bit of four sets: what may be changed, is wanted, is on, never changes.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple, Self

from agent.ethtool_ioctl import Steering, queues_of
from agent.netlink import (
    ANSWER_S,
    NESTED,
    NETLINK_GENERIC,
    NLM_F_ACK,
    RECV_BYTES,
    ask_family,
    attribute,
    attributes,
    attributes_of,
    family_number,
    request,
)
from tuning.nic_table import KNOBS, Knob, Value

QUEUES = ("channels.combined", "channels.rx")  # those that receive
_HEADER, _DEVICE_NAME, _FLAGS = 1, 2, 3
_OMIT_REPLY = 2  # ETHTOOL_FLAG_OMIT_REPLY: what a SET of features changed is read by a GET
_FORMATS = {1: "=B", 4: "=I"}
_HW, _WANTED, _ACTIVE, _NOCHANGE = 2, 3, 4, 5  # ETHTOOL_A_FEATURES_*
_NOMASK, _BITS, _BIT, _INDEX, _NAME, _VALUE = 1, 3, 1, 1, 2, 3  # ETHTOOL_A_BITSET_*, _BITS_*, _BIT_*


class Reading(NamedTuple):
    """A parameter's value; the driver's maximum where it has one; whether nothing can change it."""

    value: Value
    most: int | None = None
    is_fixed: bool = False


class Ethtool:
    """A socket to the kernel's `ethtool` family; a context manager. OSError where the kernel has none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self._family = 0
        self._steering = Steering()

    def __enter__(self) -> Self:
        """Find the family."""
        try:
            self._socket.bind((0, 0))
            number = family_number(ask_family(self._socket, "ethtool"))
            if number is None:
                raise OSError(errno.EOPNOTSUPP, "this kernel has no netlink family ethtool")
        except OSError:
            self.__exit__()
            raise
        self._family = number
        return self

    def __exit__(self, *_: object) -> None:
        """Close the sockets."""
        self._socket.close()
        self._steering.close()

    def get(self, device: str, knob: str) -> Reading:
        """The value of a parameter; OSError without it."""
        row = KNOBS[knob]
        if not row.get:
            return Reading(self._steering.get(device, knob))
        answer = self._ask(row.get, 0, _header(device))
        if row.feature:
            return _feature(answer, row.feature, device)
        other = answer.get(row.unless, b"") if row.unless is not None else b""
        if row.at not in answer or any(other):
            raise OSError(errno.ENODATA, f"the driver of {device} shows no {knob}")
        most = answer.get(row.most) if row.most is not None else None
        value = _mask(answer[row.at]) if row.is_mask else _number(answer[row.at], row)
        return Reading(value, None if most is None else int(struct.unpack("=I", most)[0]))

    def set(self, device: str, knob: str, value: Value) -> None:
        """Set one parameter; OSError with the kernel's errno."""
        row = KNOBS[knob]
        if knob == "rss.table" and not isinstance(value, int):
            self._have_queues(device, queues_of(value))
        if not row.get or not isinstance(value, int):
            self._steering.set(device, knob, value)
            return
        if knob in QUEUES:
            self._leave_queues(device, value)
        if row.feature:
            bits = _bitset({row.feature: bool(value)})
            self._ask(row.set, NLM_F_ACK, _header(device, _OMIT_REPLY), attribute(_WANTED | NESTED, bits))
            return
        payload = attribute(row.at, struct.pack(_FORMATS[row.bytes], value))
        if row.is_mask:
            payload = attribute(row.at | NESTED, attribute(_NOMASK, b"") + _bits_of(value))
        self._ask(row.set, NLM_F_ACK, _header(device), payload)

    def _have_queues(self, device: str, needed: int) -> None:
        """More queues, where a table that is set back needs them: the kernel refuses it otherwise."""
        for knob in QUEUES:
            with contextlib.suppress(OSError):
                if self.get(device, knob).value in range(needed):
                    self.set(device, knob, needed)

    def _leave_queues(self, device: str, left: int) -> None:
        """Narrow a table that uses more than the queues that are left: the kernel refuses to take them away
        otherwise (net/ethtool/channels.c)."""
        try:
            table = self._steering.get(device, "rss.table")
        except OSError:
            return
        if not isinstance(table, int) and queues_of(table) > left > 0:
            self._steering.set(device, "rss.table", tuple(str(queue) for queue in range(left)))

    def _ask(self, command: int, flags: int, *payload: bytes) -> dict[int, bytes]:
        self._socket.settimeout(ANSWER_S)
        self._socket.send(request(self._family, command, flags, *payload))
        return attributes_of(self._socket.recv(RECV_BYTES))


def _header(device: str, flags: int = 0) -> bytes:
    said = attribute(_FLAGS, struct.pack("=I", flags)) if flags else b""
    return attribute(_HEADER | NESTED, attribute(_DEVICE_NAME, device.encode() + b"\0") + said)


def _feature(answer: dict[int, bytes], name: str, device: str) -> Reading:
    """One feature, whether it is on; fixed where the driver offers it to nobody, or is asked for something
    else already and does not follow, as where another feature that this one needs is off."""
    known = _names(answer.get(_HW, b""), lambda _: True)
    if name not in known:
        raise OSError(errno.ENODATA, f"this kernel knows no feature {name} of {device}")
    offered = name in _names(answer.get(_HW, b"")) - _names(answer.get(_NOCHANGE, b""))
    is_on = name in _names(answer.get(_ACTIVE, b""))
    follows = is_on == (name in _names(answer.get(_WANTED, b"")))
    return Reading(int(is_on), is_fixed=not offered or not follows)


def _bits(bitset: bytes) -> list[dict[int, bytes]]:
    """The bits of a set that is told by names: each with its attributes. A set without a mask lists those
    that are set; one with a mask lists all of the mask, and VALUE stands with those that are set."""
    fields = dict(attributes(bitset))
    listed = [dict(attributes(bit)) for kind, bit in attributes(fields.get(_BITS, b"")) if kind == _BIT]
    return [{**one, _VALUE: b""} for one in listed] if _NOMASK in fields else listed


def _is_set(bit: dict[int, bytes]) -> bool:
    return _VALUE in bit


def _names(bitset: bytes, fits: Callable[[dict[int, bytes]], bool] = _is_set) -> set[str]:
    found = (bit.get(_NAME, b"") for bit in _bits(bitset) if fits(bit))
    return {name.rstrip(b"\0").decode("ascii", "replace") for name in found}


def _mask(bitset: bytes) -> int:
    """The bits that are set, as a number; OSError where it is no set of named bits."""
    found = [bit.get(_INDEX, b"") for bit in _bits(bitset) if _is_set(bit)]
    if any(len(index) != 4 for index in found):
        raise OSError(errno.ENODATA, "the kernel's answer is no set of bits")
    return sum(1 << min(struct.unpack("=I", index)[0], 63) for index in found)


def _bitset(wanted: dict[str, bool]) -> bytes:
    """Only these bits, each on or off."""
    bits = (
        attribute(_NAME, name.encode() + b"\0") + (attribute(_VALUE, b"") if is_on else b"")
        for name, is_on in wanted.items()
    )
    return attribute(_BITS | NESTED, b"".join(attribute(_BIT | NESTED, bit) for bit in bits))


def _bits_of(mask: int) -> bytes:
    bits = (struct.pack("=I", index) for index in range(mask.bit_length()) if mask >> index & 1)
    listed = b"".join(
        attribute(_BIT | NESTED, attribute(_INDEX, index) + attribute(_VALUE, b"")) for index in bits
    )
    return attribute(_BITS | NESTED, listed)


def _number(payload: bytes, row: Knob) -> int:
    if len(payload) != row.bytes:
        raise OSError(errno.ENODATA, "the kernel's answer has another size")
    return int(struct.unpack(_FORMATS[row.bytes], payload)[0])


def name_of(error: OSError) -> str:
    """The errno by its name, as the record keeps it; of the two names of number 95 Python knows the other."""
    if error.errno == errno.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno.errorcode.get(error.errno or 0, "EIO")
