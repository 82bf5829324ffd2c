"""Parameters of a network port that ethtool knows: what each is in its netlink messages, and in a .link file.

A port's driver has them, no file of /sys: they are read and set by generic netlink, family `ethtool`
(Documentation/networking/ethtool-netlink.rst; numbers: include/uapi/linux/ethtool_netlink.h). Changing
channels, rings, pause frames or EEE resets the port or takes its link down, so they are disruptive. For the
next boot they are in a .link file, which udev applies before the port is up (systemd.link(5); a key that an
older systemd does not know is passed over there, and hft-irqs sets it). Where received frames go (RSS, flow
rules) is set by the older ioctl, which every kernel has; a value of that kind is words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Resets = Literal["safe", "disruptive"]
Words = tuple[str, ...]
Value = int | Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One parameter: GET and SET are messages, AT its attribute there, BYTES its size, MOST the attribute
    that holds the driver's maximum; UNLESS an attribute whose number says that the driver has another one
    instead; LINK its key in a .link file, with the UNIT that follows a number and the words of a switch.
    FEATURE is the kernel's name of a bit in sets of features; IS_MASK: AT holds a set of bits, by its number.
    GET 0 is asked by ioctl; WORD is what each word of a value must match, "" for a number.
    """

    get: int = 0
    at: int = 0
    bytes: int = 4
    most: int | None = None
    unless: int | None = None
    mode: Resets = "disruptive"
    link: str = ""
    unit: str = ""
    words: tuple[str, str] = ("no", "yes")
    feature: str = ""
    is_mask: bool = False
    word: str = ""

    @property
    def set(self) -> int:
        """The message that sets it: each follows its GET."""
        return self.get + 1

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, not an amount."""
        return self.bytes == 1

    def value_of(self, text: str) -> Value:
        """The value in a plan's text; ValueError for what is none."""
        words = tuple(text.split(" ")) if self.word else ()
        if self.word and text and all(re.fullmatch(self.word, one) for one in words):
            return words
        if self.word or not re.fullmatch("0|[1-9][0-9]{0,6}", text):
            raise ValueError(f"{text[:80]!r} is no value of it")
        return int(text)

    def link_value(self, value: int) -> str:
        """The value as a .link file has it."""
        return self.words[value] if self.is_switch or self.is_mask else f"{value}{self.unit}"


NIC_VALUE_MAX = 1 << 20
WOL, FEATURES, RINGS, CHANNELS, COALESCE, PAUSE, EEE = 9, 11, 15, 17, 19, 21, 23


def _feature(name: str, link: str, mode: Resets = "safe") -> Knob:
    return Knob(get=FEATURES, at=0, bytes=1, feature=name, link=link, mode=mode)


# Protocol -> the kernel's kind of rule: TCP_V4_FLOW, UDP_V4_FLOW.
FLOW_PROTOCOLS: Mapping[str, int] = {"tcp": 1, "udp": 2}
WORDS_MAX = 4096


def text_of(value: Value) -> str:
    """A value as a plan's text has it."""
    return str(value) if isinstance(value, int) else " ".join(value)


KNOBS: Mapping[str, Knob] = {
    "channels.combined": Knob(get=CHANNELS, at=9, most=5, link="CombinedChannels"),
    # Queues of one direction, of drivers that have no combined ones. No .link file: udev sets all three at
    # once, and those that a driver lacks would fail the others.
    "channels.rx": Knob(get=CHANNELS, at=6, most=2, unless=5),
    "channels.tx": Knob(get=CHANNELS, at=7, most=3, unless=5),
    "rings.rx": Knob(get=RINGS, at=6, most=2, link="RxBufferSize"),
    "rings.tx": Knob(get=RINGS, at=9, most=5, link="TxBufferSize"),
    "coalesce.adaptive_rx": Knob(get=COALESCE, at=11, bytes=1, mode="safe", link="UseAdaptiveRxCoalesce"),
    "coalesce.rx_usecs": Knob(get=COALESCE, at=2, mode="safe", link="RxCoalesceSec", unit="us"),
    "pause.rx": Knob(get=PAUSE, at=3, bytes=1, link="RxFlowControl"),
    "pause.tx": Knob(get=PAUSE, at=4, bytes=1, link="TxFlowControl"),
    "eee.enabled": Knob(get=EEE, at=5, bytes=1),
    "wol.modes": Knob(get=WOL, at=2, is_mask=True, mode="safe", link="WakeOnLan", words=("off", "magic")),
    # Names: net/ethtool/common.c. A driver that merges frames in hardware is reset when it starts or stops.
    "features.gro": _feature("rx-gro", "GenericReceiveOffload"),
    "features.lro": _feature("rx-lro", "LargeReceiveOffload", "disruptive"),
    "features.gso": _feature("tx-generic-segmentation", "GenericSegmentationOffload"),
    "features.tso": _feature("tx-tcp-segmentation", "TCPSegmentationOffload"),
    "features.tso6": _feature("tx-tcp6-segmentation", "TCP6SegmentationOffload"),
    "features.ntuple": _feature("rx-ntuple-filter", "NTupleFilter"),
    # agent/ethtool_ioctl.py: queues of an even spread, or `=` and the queue of each entry; the bytes that the
    # key repeats; PROTOCOL/ADDRESS/PORT/QUEUE of a rule, or the bytes of one that these cannot say.
    "rss.table": Knob(mode="safe", word=r"=?(?:0|[1-9][0-9]{0,3})"),
    "rss.key": Knob(mode="safe", word=r"(?:[0-9a-f]{2}){1,256}"),
    "rss.tcp4": Knob(mode="safe"),
    "rss.udp4": Knob(mode="safe"),
    "flows": Knob(
        mode="safe",
        word=r"(?:tcp|udp)/(?:[0-9]{1,3}\.){3}[0-9]{1,3}/(?:any|[1-9][0-9]{0,4})/(?:0|[1-9][0-9]{0,3})"
        r"|raw/[0-9a-f]{336}",
    ),
}
