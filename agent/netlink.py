"""Generic netlink in the standard library's words: messages, attributes, families (netlink(7)).

A message is a struct nlmsghdr, a struct genlmsghdr and attributes; an attribute is a length, a type and a
payload, padded to four bytes, and may hold attributes itself. Everything but addresses is in the machine's
own byte order. Source: Documentation/userspace-api/netlink/intro.rst, include/uapi/linux/netlink.h and
genetlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

RECV_BYTES = 65536
NETLINK_GENERIC = 16
ANSWER_S = 2.0
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NESTED = 0x8000  # NLA_F_NESTED
_NLMSG_ERROR = 2
_GENL_ID_CTRL = 16
_CTRL_CMD_GETFAMILY = 3
_CTRL_ATTR_FAMILY_ID = 1
_CTRL_ATTR_FAMILY_NAME = 2
_CTRL_ATTR_MCAST_GROUPS = 7
_CTRL_ATTR_MCAST_GRP_NAME = 1
_CTRL_ATTR_MCAST_GRP_ID = 2
_NLA_TYPE = 0x3FFF  # without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER
_MESSAGE = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_GENERIC = struct.Struct("=BBH")  # struct genlmsghdr: command, version, reserved
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length with this header, type


def attributes(blob: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each netlink attribute; ends where the bytes are no attribute."""
    at = 0
    while at + _ATTRIBUTE.size <= len(blob):
        length, kind = _ATTRIBUTE.unpack_from(blob, at)
        if not _ATTRIBUTE.size <= length <= len(blob) - at:
            return
        yield kind & _NLA_TYPE, blob[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def request(family: int, command: int, flags: int, *payload: bytes) -> bytes:
    """One generic netlink message."""
    body = _GENERIC.pack(command, 1, 0) + b"".join(payload)
    return _MESSAGE.pack(_MESSAGE.size + len(body), family, NLM_F_REQUEST | flags, 1, 0) + body


def multicast_group(answer: bytes, name: str) -> int | None:
    """The number of a family's group in an answer to CTRL_CMD_GETFAMILY; None when it is not there."""
    groups = dict(attributes(answer[_MESSAGE.size + _GENERIC.size :])).get(_CTRL_ATTR_MCAST_GROUPS, b"")
    for _, group in attributes(groups):
        fields = dict(attributes(group))
        number = fields.get(_CTRL_ATTR_MCAST_GRP_ID, b"")
        if fields.get(_CTRL_ATTR_MCAST_GRP_NAME, b"").rstrip(b"\0") == name.encode() and len(number) == 4:
            return int(struct.unpack("=I", number)[0])
    return None


def ask_family(generic: socket.socket, name: str) -> bytes:
    """The kernel's answer about a generic netlink family; OSError when there is none in time."""
    wanted = attribute(_CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0")
    generic.settimeout(ANSWER_S)
    generic.send(request(_GENL_ID_CTRL, _CTRL_CMD_GETFAMILY, 0, wanted))
    return generic.recv(RECV_BYTES)


def family_number(answer: bytes) -> int | None:
    """The number of the family in an answer to CTRL_CMD_GETFAMILY; None when it is no such answer."""
    number = dict(attributes(answer[_MESSAGE.size + _GENERIC.size :])).get(_CTRL_ATTR_FAMILY_ID, b"")
    return int(struct.unpack("=H", number)[0]) if len(number) == 2 else None


def attributes_of(answer: bytes) -> dict[int, bytes]:
    """The attributes of one answer; OSError with the kernel's errno where the answer is a refusal.

    An acknowledgement is an error message with the number 0, and has no attributes.
    """
    if len(answer) < _MESSAGE.size + 4:
        raise OSError(0, "the kernel's answer is cut off")
    kind = _MESSAGE.unpack_from(answer)[1]
    if kind != _NLMSG_ERROR:
        return dict(attributes(answer[_MESSAGE.size + _GENERIC.size :]))
    number = -int(struct.unpack_from("=i", answer, _MESSAGE.size)[0])
    if number:
        raise OSError(number, os.strerror(number))
    return {}
