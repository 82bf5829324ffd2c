"""What the drivers of network ports say, by ioctl: this file is sent to the host and runs there as text.

The agent asks over netlink and keeps a record; here the question is another one, SIOCETHTOOL of ethtool(8)
and include/uapi/linux/ethtool.h, and nothing of the agent is read. It needs no privilege and changes nothing.
One line for each parameter: device, parameter, and a number or the name of an errno.
"""

import array
import errno
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# Parameter -> command, how many 32 bit words its structure has, which of them it is; word 0 is the command.
PARAMETERS = {
    "channels.combined": (0x3C, 9, 8),
    "channels.rx": (0x3C, 9, 5),
    "channels.tx": (0x3C, 9, 6),
    "rings.rx": (0x10, 9, 5),
    "rings.tx": (0x10, 9, 8),
    "coalesce.adaptive_rx": (0x0E, 23, 10),
    "coalesce.rx_usecs": (0x0E, 23, 1),
    "pause.rx": (0x12, 4, 2),
    "pause.tx": (0x12, 4, 3),
    "eee.enabled": (0x44, 10, 5),
}
# Parameter -> the word of its maximum: where that is 0, the driver has none.
MAXIMA = {"channels.combined": 4, "channels.rx": 1, "channels.tx": 2, "rings.rx": 1, "rings.tx": 4}
COMBINED_MAX = 4


def ask(asking: socket.socket, device: str, parameter: str) -> int:
    """The value of one parameter; OSError as the driver answers."""
    command, words, at = PARAMETERS[parameter]
    values = array.array("I", [command] + [0] * (words - 1))
    request = struct.pack("16sP", device.encode(), values.buffer_info()[0])
    fcntl.ioctl(asking.fileno(), SIOCETHTOOL, request)
    is_other = parameter in ("channels.rx", "channels.tx") and values[COMBINED_MAX] > 0
    if is_other or (parameter in MAXIMA and values[MAXIMA[parameter]] == 0):
        raise OSError(errno.ENODATA, "none")
    return values[at]


def lines(devices: "list[str]") -> "list[str]":
    """The answers of every device to every question."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for device in devices:
            for parameter in PARAMETERS:
                try:
                    said = str(ask(asking, device, parameter))
                except OSError as error:
                    same = error.errno == errno.EOPNOTSUPP  # which Python calls ENOTSUP
                    said = "EOPNOTSUPP" if same else errno.errorcode.get(error.errno or 0, "EIO")
                found.append(f"{device} {parameter} {said}")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(sys.argv[1:])) + "\n")
