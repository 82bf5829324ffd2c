"""Drops, pauses and errors of network ports, by the names that each driver gives them (ethtool -S).

A driver may export thousands of counters; the table below takes those that an alert or a panel needs and
gives each a class. Read by the SIOCETHTOOL ioctl (include/uapi/linux/ethtool.h), never from the module's
EEPROM, whose reads were seen to disturb the data path.
"""

from __future__ import annotations

import array
import fcntl
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.collect.sample import Sample, UnreadError, sample
from agent.host import HostRoot

SIOCETHTOOL = 0x8946
GSSET_INFO, GSTRINGS, GSTATS = 0x37, 0x1B, 0x1D
STRINGS_STATS, STRING_BYTES = 1, 32
COUNTERS_MAX = 20_000
NET_DIR_DEVICE = "/sys/class/net/{name}/device"
# Class -> names that every driver uses for it, then those of single drivers.
COMMON = {"drop": r"(?:rx|tx)_dropped|rx_missed_errors|rx_no_buffer_count|rx_fifo_errors"}
DRIVERS: Mapping[str, Mapping[str, str]] = {
    "ice": {
        "drop": r"rx_dropped\.nic|port\.rx_dropped|rx_discards\.nic",
        "pause": r"link_xo(?:n|ff)_rx\.nic",
    },
    "i40e": {"drop": r"port\.rx_dropped|rx_dropped", "pause": r"port\.link_xo(?:n|ff)_rx"},
    "ixgbe": {"drop": r"rx_no_dma_resources|fdir_overflow", "pause": r"rx_flow_control_xo(?:n|ff)"},
    "igb": {"drop": r"rx_queue_\d+_drops|rx_no_buffer_count", "pause": r"rx_flow_control_xo(?:n|ff)"},
    "e1000e": {"drop": r"rx_no_buffer_count", "pause": r"rx_flow_control_xo(?:n|ff)"},
    "mlx5_core": {
        "drop": r"rx_out_of_buffer|rx_discards_phy|tx_discards_phy|rx_steer_missed_packets",
        "pause": r"rx_pause_ctrl_phy|rx_prio\d+_pause",
        "error": r"rx_crc_errors_phy|rx_symbol_err_phy",
    },
    "sfc": {"drop": r"rx_nodesc_drops|port_rx_nodesc_drops", "pause": r"port_rx_pause"},
    "ena": {
        "drop": r"rx_drops|bw_(?:in|out)_allowance_exceeded|pps_allowance_exceeded|"
        r"conntrack_allowance_exceeded|linklocal_allowance_exceeded"
    },
    "virtio_net": {"drop": r"rx_queue_\d+_drops|rx\d+_drops"},
}


def class_of(driver: str, counter: str) -> str | None:
    """The class of a driver's counter; None for one that nobody asks for."""
    for table in (DRIVERS.get(driver, {}), COMMON):
        for name, pattern in table.items():
            if re.fullmatch(pattern, counter):
                return name
    return None


def counters(found_by_port: Mapping[str, tuple[str, Mapping[str, int]]]) -> Iterator[Sample]:
    """Samples of ports: name -> its driver and all its counters."""
    for device, (driver, found) in found_by_port.items():
        for counter, value in found.items():
            kind = class_of(driver, counter)
            if kind is not None:
                labels = {"device": device, "driver": driver, "counter": counter, "class": kind}
                yield sample("hft_nic_counter_total", value, **labels)


def ports(host: HostRoot) -> Iterator[str]:
    """The network ports with a device behind them."""
    for name in host.listdir("/sys/class/net"):
        if host.exists(NET_DIR_DEVICE.format(name=name)):
            yield name


def read_port(name: str) -> tuple[str, Mapping[str, int]]:
    """Driver and counters of one port of this machine; none where it exports none.

    Raises: UnreadError.
    """
    try:
        driver = Path(NET_DIR_DEVICE.format(name=name), "driver").resolve().name
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as any_socket:
            count = _count(any_socket, name)
            if not count:
                return driver, {}
            names = _call(
                any_socket, name, struct.pack("III", GSTRINGS, STRINGS_STATS, count), STRING_BYTES * count
            )
            values = _call(any_socket, name, struct.pack("II", GSTATS, count), 8 * count)
    except OSError as error:
        raise UnreadError(f"counters of {name}: {error.strerror}") from error
    rows = (names[at : at + STRING_BYTES] for at in range(12, 12 + STRING_BYTES * count, STRING_BYTES))
    words = [row.split(b"\0")[0].decode("ascii", "replace") for row in rows]
    return driver, dict(zip(words, struct.unpack_from(f"{count}Q", values, 8), strict=True))


def _count(any_socket: socket.socket, name: str) -> int:
    answer = _call(any_socket, name, struct.pack("IIQ", GSSET_INFO, 0, 1 << STRINGS_STATS), 4)
    mask, count = struct.unpack_from("QI", answer, 8)
    return min(count, COUNTERS_MAX) if mask else 0


def _call(any_socket: socket.socket, name: str, head: bytes, room: int) -> bytes:
    data = array.array("B", head + bytes(room))
    request = struct.pack("16sP16x", name.encode(), data.buffer_info()[0])
    fcntl.ioctl(any_socket, SIOCETHTOOL, request)
    return data.tobytes()
