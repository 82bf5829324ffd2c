"""What the drivers of network ports say, by ioctl: this file is sent to the host and runs there as text.

The agent asks over netlink and keeps a record; here the question is another one, SIOCETHTOOL of ethtool(8)
and include/uapi/linux/ethtool.h, and nothing of the agent is read. It needs no privilege and changes nothing.
One line for each parameter: device, parameter, a number or the name of an errno, and `fixed` behind a number
that the driver lets nobody change.
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
    "wol.modes": (0x05, 5, 2),
}
# Parameter -> the word of its maximum: where that is 0, the driver has none.
MAXIMA = {"channels.combined": 4, "channels.rx": 1, "channels.tx": 2, "rings.rx": 1, "rings.tx": 4}
COMBINED_MAX = 4
# Parameter -> name in the kernel's list of features.
FEATURES = {
    "features.gro": "rx-gro",
    "features.lro": "rx-lro",
    "features.gso": "tx-generic-segmentation",
    "features.tso": "tx-tcp-segmentation",
    "features.tso6": "tx-tcp6-segmentation",
}
STRINGS_COUNT, STRINGS, FEATURES_OF = 0x37, 0x1B, 0x3A
FEATURE_NAMES, NAME_BYTES = 4, 32


def call(asking: socket.socket, device: str, values: "array.array[int]") -> None:
    """One request, answered in place; OSError as the driver answers."""
    request = struct.pack("16sP", device.encode(), values.buffer_info()[0])
    fcntl.ioctl(asking.fileno(), SIOCETHTOOL, request)


def ask(asking: socket.socket, device: str, parameter: str) -> int:
    """The value of one parameter; OSError as the driver answers."""
    command, words, at = PARAMETERS[parameter]
    values = array.array("I", [command] + [0] * (words - 1))
    call(asking, device, values)
    is_other = parameter in ("channels.rx", "channels.tx") and values[COMBINED_MAX] > 0
    if is_other or (parameter in MAXIMA and values[MAXIMA[parameter]] == 0):
        raise OSError(errno.ENODATA, "none")
    return values[at]


def features(asking: socket.socket, device: str) -> "dict[str, str]":
    """Every feature of a device: 0 or 1, and whether it is fixed; OSError as the kernel answers."""
    info = array.array("I", [STRINGS_COUNT, 0, 1 << FEATURE_NAMES, 0, 0])
    call(asking, device, info)
    count = info[4]
    names = array.array("I", [STRINGS, FEATURE_NAMES, count] + [0] * (count * NAME_BYTES // 4))
    call(asking, device, names)
    blocks = -(-count // 32)
    bits = array.array("I", [FEATURES_OF, blocks] + [0] * (4 * blocks))
    call(asking, device, bits)
    text, found = names.tobytes()[12:], {}
    for index in range(count):
        name = text[index * NAME_BYTES : (index + 1) * NAME_BYTES].split(b"\0")[0]
        first, bit = 2 + 4 * (index // 32), index % 32
        available, _, active, never = (word >> bit & 1 for word in bits[first : first + 4])
        found[name.decode("ascii", "replace")] = f"{active}" if available and not never else f"{active} fixed"
    return found


def name_of(error: OSError) -> str:
    """An errno by its name."""
    same = error.errno == errno.EOPNOTSUPP  # which Python calls ENOTSUP
    return "EOPNOTSUPP" if same else errno.errorcode.get(error.errno or 0, "EIO")


def lines(devices: "list[str]") -> "list[str]":
    """The answers of every device to every question."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for device in devices:
            for parameter in PARAMETERS:
                try:
                    said = str(ask(asking, device, parameter))
                except OSError as error:
                    said = name_of(error)
                found.append(f"{device} {parameter} {said}")
            try:
                known, lacking = features(asking, device), "ENODATA"
            except OSError as error:
                known, lacking = {}, name_of(error)
            found += [f"{device} {one} {known.get(name, lacking)}" for one, name in FEATURES.items()]
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(sys.argv[1:])) + "\n")
