"""Parameters of a network port that ethtool knows: what each is in its netlink messages, and in a .link file.

A port's driver has them, no file of /sys: they are read and set by generic netlink, family `ethtool`
(Documentation/networking/ethtool-netlink.rst; numbers: include/uapi/linux/ethtool_netlink.h). Changing
channels, rings, pause frames or EEE resets the port or takes its link down, so they are disruptive. For the
next boot they are in a .link file, which udev applies before the port is up (systemd.link(5); a key that an
older systemd does not know is passed over there, and hft-irqs sets it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Resets = Literal["safe", "disruptive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One parameter: GET and SET are messages, AT its attribute there, BYTES its size, MOST the attribute
    that holds the driver's maximum; UNLESS an attribute whose number says that the driver has another one
    instead; LINK its key in a .link file, with the UNIT that follows a number."""

    get: int
    at: int
    bytes: int = 4
    most: int | None = None
    unless: int | None = None
    mode: Resets = "disruptive"
    link: str = ""
    unit: str = ""

    @property
    def set(self) -> int:
        """The message that sets it: each follows its GET."""
        return self.get + 1

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, not an amount."""
        return self.bytes == 1


NIC_VALUE_MAX = 1 << 20
RINGS, CHANNELS, COALESCE, PAUSE, EEE = 15, 17, 19, 21, 23
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
}
