"""What the drivers of network ports say, by ioctl: this file is sent to the host and runs there as text.

The agent asks over netlink and keeps a record; here the question is another one, SIOCETHTOOL of ethtool(8)
and include/uapi/linux/ethtool.h, and nothing of the agent is read. It needs no privilege and changes nothing.
One line for each parameter: device, parameter, a number or the name of an errno; behind a number the driver's
maximum where it has one, or `fixed` where it lets nobody change it, or does not follow who asked.
"""

import array
import errno
import fcntl
import socket
import struct
import sys
from collections.abc import Callable

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
    "features.ntuple": "rx-ntuple-filter",
}
# Where received frames go: parameter -> the kind of flow that is hashed (TCP_V4_FLOW, UDP_V4_FLOW).
HASHED = {"rss.tcp4": 1, "rss.udp4": 2}
STEERED = ("rss.table", "rss.key", "flows")
HASH_FIELDS, HASH_TABLE, HASH_KEY, RULE_COUNT, RULE, RULES = 0x29, 0x38, 0x46, 0x2E, 0x2F, 0x30
RULE_BYTES, RULES_MAX = 188, 4096  # struct ethtool_rxnfc without its list of locations
STRINGS_COUNT, STRINGS, FEATURES_OF = 0x37, 0x1B, 0x3A
FEATURE_NAMES, NAME_BYTES = 4, 32


def call(asking: socket.socket, device: str, values: "array.array[int]") -> None:
    """One request, answered in place; OSError as the driver answers."""
    request = struct.pack("16sP", device.encode(), values.buffer_info()[0])
    fcntl.ioctl(asking.fileno(), SIOCETHTOOL, request)


def ask(asking: socket.socket, device: str, parameter: str) -> str:
    """The value of one parameter, and its maximum; OSError as the driver answers."""
    command, words, at = PARAMETERS[parameter]
    values = array.array("I", [command] + [0] * (words - 1))
    call(asking, device, values)
    is_other = parameter in ("channels.rx", "channels.tx") and values[COMBINED_MAX] > 0
    if is_other or (parameter in MAXIMA and values[MAXIMA[parameter]] == 0):
        raise OSError(errno.ENODATA, "none")
    most = f" {values[MAXIMA[parameter]]}" if parameter in MAXIMA else ""
    return f"{values[at]}{most}"


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
        available, asked, active, never = (word >> bit & 1 for word in bits[first : first + 4])
        follows = available and not never and asked == active
        found[name.decode("ascii", "replace")] = f"{active}" if follows else f"{active} fixed"
    return found


def hashed(asking: socket.socket, device: str, kind: int) -> str:
    """Which fields of a kind of frame are hashed, as a number of bits."""
    values = array.array("I", [HASH_FIELDS, kind] + [0] * 46)
    call(asking, device, values)
    return str(values[2])


def steered(asking: socket.socket, device: str, parameter: str) -> str:
    """Queues of the hash table, the hash key in hexadecimal digits, or flow rules, as one word."""
    if parameter == "rss.key":
        asked = array.array("I", [HASH_KEY] + [0] * 5)
        call(asking, device, asked)
        size, skipped = asked[3], asked[2]
        key = array.array("I", [HASH_KEY, 0, skipped, size, 0, 0] + [0] * (skipped + -(-size // 4)))
        call(asking, device, key)
        return key.tobytes()[24 + 4 * skipped :][:size].hex() or "none"
    if parameter == "rss.table":
        asked = array.array("I", [HASH_TABLE, 0])
        call(asking, device, asked)
        table = array.array("I", [HASH_TABLE, asked[1]] + [0] * asked[1])
        call(asking, device, table)
        counts = {queue: list(table[2:]).count(queue) for queue in sorted(set(table[2:]))}
        even = max(counts.values(), default=0) - min(counts.values(), default=0) <= 1
        return ",".join(map(str, counts)) + ("" if even else ",uneven")
    return ",".join(sorted(rules(asking, device))) or "none"


def rules(asking: socket.socket, device: str) -> "list[str]":
    """Every flow rule, as protocol/address/port/queue; one that says more, or something else, as `other`."""
    asked = array.array("I", [RULE_COUNT] + [0] * 47)
    call(asking, device, asked)
    count = min(asked[46], RULES_MAX)
    where = array.array("I", [RULES] + [0] * (47 + count))
    where[46] = count
    call(asking, device, where)
    found = []
    for location in where[47 : 47 + count]:
        one = array.array("I", [RULE] + [0] * 47)
        one[44] = location  # fs.location: 16 bytes before fs, 160 within
        call(asking, device, one)
        found.append(rule_text(one.tobytes()[16:184]))
    return found


def rule_text(rule: bytes) -> str:
    """One struct ethtool_rx_flow_spec in words."""
    kind, queue = struct.unpack_from("=I", rule)[0], struct.unpack_from("=Q", rule, 152)[0]
    value, mask = rule[4:56], rule[76:128]
    port = {b"\0\0": "any", b"\xff\xff": str(struct.unpack(">H", value[10:12])[0])}.get(mask[10:12])
    only = mask[:4] == bytes(4) and mask[4:8] == b"\xff" * 4 and not any(mask[8:10] + mask[12:])
    if kind not in (1, 2) or port is None or not only or any(rule[128:148]) or queue >> 32:
        return "other"
    return f"{'tcp' if kind == 1 else 'udp'}/{socket.inet_ntoa(value[4:8])}/{port}/{queue}"


def name_of(error: OSError) -> str:
    """An errno by its name."""
    same = error.errno == errno.EOPNOTSUPP  # which Python calls ENOTSUP
    return "EOPNOTSUPP" if same else errno.errorcode.get(error.errno or 0, "EIO")


def answer(say: "Callable[[], str]") -> str:
    """What the driver says, or the name of its errno."""
    try:
        return say()
    except OSError as error:
        return name_of(error)


def lines(devices: "list[str]") -> "list[str]":
    """The answers of every device to every question."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for device in devices:
            said = {one: answer(lambda: ask(asking, device, one)) for one in PARAMETERS}  # noqa: B023
            try:
                known, lacking = features(asking, device), "ENODATA"
            except OSError as error:
                known, lacking = {}, name_of(error)
            said |= {one: known.get(name, lacking) for one, name in FEATURES.items()}
            said |= {one: answer(lambda: hashed(asking, device, HASHED[one])) for one in HASHED}  # noqa: B023
            said |= {one: answer(lambda: steered(asking, device, one)) for one in STEERED}  # noqa: B023
            found += [f"{device} {one} {text}" for one, text in said.items()]
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(sys.argv[1:])) + "\n")
