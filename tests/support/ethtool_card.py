"""A card with RSS and flow rules, as its driver answers the ioctl: layouts of include/uapi/linux/ethtool.h.

No device of this kernel that a test may have (veth, tap) has them. Only the kernel's side of the call is made
up here, from C's own layout; both programs that ask, the agent's and the checks', speak to it as to a port.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

U8, U16, U32, U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64


class FlowSpec(ctypes.Structure):
    """struct ethtool_rx_flow_spec; unions and extensions as bytes."""

    _fields_ = [
        ("flow_type", U32),
        ("h_u", U8 * 52),
        ("h_ext", U8 * 20),
        ("m_u", U8 * 52),
        ("m_ext", U8 * 20),
        ("ring_cookie", U64),
        ("location", U32),
    ]


class Rules(ctypes.Structure):
    """struct ethtool_rxnfc without its list of locations."""

    _fields_ = [("cmd", U32), ("flow_type", U32), ("data", U64), ("fs", FlowSpec), ("rule_cnt", U32)]


class Rss(ctypes.Structure):
    """struct ethtool_rxfh without its table and key."""

    _fields_ = [
        ("cmd", U32),
        ("rss_context", U32),
        ("indir_size", U32),
        ("key_size", U32),
        ("hfunc", U8),
        ("input_xfrm", U8),
        ("rsvd8", U8 * 2),
        ("rsvd32", U32),
    ]


@dataclass
class Card:
    """The state of one card; `ioctl` stands for fcntl's."""

    table: list[int | ctypes.c_uint32]
    key: bytes
    transform: int = 0
    places: int = 8
    queues: Callable[[], int] | None = None  # of the port: a table of more is refused
    chooses: bool = False
    lacks_rules: bool = False
    fields: dict[int, int] = field(default_factory=lambda: {1: 0x30, 2: 0x30})
    rules: dict[int, bytes] = field(default_factory=dict)
    written: int = 0

    def ioctl(self, _: int, request: int, packed: bytes) -> int:
        """One call, answered in the caller's memory."""
        assert request == 0x8946
        name, address = struct.unpack_from("16sP", packed)
        assert name.rstrip(b"\0") == b"ens1"
        command = U32.from_address(address).value
        if command in (0x38, 0x46, 0x47):
            self._rss(command, address)
        elif command in range(0x29, 0x33):
            self._rules(command, address)
        else:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return 0

    def _rss(self, command: int, address: int) -> None:
        if command == 0x38:  # ETHTOOL_GRXFHINDIR
            size = U32.from_address(address + 4)
            if size.value:
                (U32 * len(self.table)).from_address(address + 8)[:] = self.table
            size.value = len(self.table)
            return
        head, at = Rss.from_address(address), address + ctypes.sizeof(Rss)
        if command == 0x46:  # ETHTOOL_GRSSH
            assert (head.input_xfrm, head.hfunc, head.rsvd32) == (0, 0, 0)
            if head.indir_size:
                (U32 * len(self.table)).from_address(at)[:] = self.table
            if head.key_size:
                ctypes.memmove(at + 4 * head.indir_size, self.key, len(self.key))
            head.indir_size, head.key_size = len(self.table), len(self.key)
            head.input_xfrm, head.hfunc = self.transform, 1
            return
        self.written += 1
        assert head.input_xfrm == self.transform, "what nobody asked for stays"
        if head.indir_size != 0xFFFFFFFF:
            assert head.indir_size == len(self.table)
            wanted = [int(one) for one in (U32 * head.indir_size).from_address(at)]
            if self.queues is not None and max(wanted) >= self.queues():
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            self.table = [*wanted]
            at += 4 * head.indir_size
        if head.key_size:
            assert head.key_size == len(self.key)
            self.key = ctypes.string_at(at, head.key_size)

    def _rules(self, command: int, address: int) -> None:
        head = Rules.from_address(address)
        if command in (0x29, 0x2A):  # ETHTOOL_GRXFH, ETHTOOL_SRXFH
            if command == 0x2A:
                self.fields[head.flow_type], self.written = head.data, self.written + 1
            head.data = self.fields[head.flow_type]
            return
        if self.lacks_rules:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        places = U32 * head.rule_cnt
        match command:
            case 0x2E:  # ETHTOOL_GRXCLSRLCNT
                head.rule_cnt, head.data = len(self.rules), 0x80000000 if self.chooses else 0
            case 0x30:  # ETHTOOL_GRXCLSRLALL
                places.from_address(address + Rules.rule_cnt.offset + 4)[:] = [U32(one) for one in self.rules]
                head.data = self.places
            case 0x2F:  # ETHTOOL_GRXCLSRULE
                fs = address + Rules.fs.offset
                ctypes.memmove(fs, self.rules[head.fs.location], ctypes.sizeof(FlowSpec))
            case 0x31:  # ETHTOOL_SRXCLSRLDEL
                del self.rules[head.fs.location]
                self.written += 1
            case 0x32:  # ETHTOOL_SRXCLSRLINS
                where = head.fs.location
                if where == 0xFFFFFFFF:
                    where = next(one for one in reversed(range(self.places)) if one not in self.rules)
                if where >= self.places:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                head.fs.location = where
                self.rules[where] = bytes(head.fs)
                self.written += 1
            case _:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
