"""The words of an inventory, each with its grammar: names, addresses, keys, ports, seconds.

Names and addresses follow RFC 1123, so that nothing in them can become an option, a pattern or a second line
for ssh(1). Scalars are strict: `22` is a port and `"22"` is an error.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

HostClass: TypeAlias = Literal["lab-vm", "bare-metal", "cloud"]
HostRole: TypeAlias = Literal["engine", "ops", "monitoring", "standby"]
PowerKind: TypeAlias = Literal["none", "lab", "redfish"]

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_HOST_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}\Z")


def _name(value: str) -> str:
    if not all(_LABEL.match(label) for label in value.split(".")) or len(value) > 200:
        raise ValueError("a name of letters, digits, '-' and '.', no space, no line end")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if not re.search(r"[A-Za-z]", value):
            raise ValueError("an IP address or a DNS name") from None
    try:
        return _name(value)
    except ValueError:
        raise ValueError("an IP address or a DNS name") from None


def _host_key(value: str) -> str:
    bare = " ".join(value.split()[:2])  # the comment is not part of the key
    if "\n" in value or not _HOST_KEY.match(bare):
        raise ValueError("a public host key such as 'ssh-ed25519 AAAA...' on one line")
    return bare


def _key_path(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    if not str(value) or re.search(r'[\x00-\x1f"]', str(value)):
        raise ValueError("the path of a private key file, without quotes or control characters")
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise ValueError("an absolute path, or one that begins with ~/")
    return str(path)


def _matching(pattern: str, words: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(words)
        return value

    return AfterValidator(check)


Name: TypeAlias = Annotated[str, StringConstraints(strict=True, min_length=1), AfterValidator(_name)]
Address: TypeAlias = Annotated[str, StringConstraints(strict=True, min_length=1), AfterValidator(_address)]
HostKey: TypeAlias = Annotated[str, StringConstraints(strict=True), AfterValidator(_host_key)]
KeyPath: TypeAlias = Annotated[str, StringConstraints(strict=True), BeforeValidator(_key_path)]
User: TypeAlias = Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,31}", "a Unix user name")]
MachineId: TypeAlias = Annotated[str, _matching(r"[0-9a-f]{32}", "a machine-id of 32 hexadecimal digits")]
Mac: TypeAlias = Annotated[
    str, _matching(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "a MAC address such as 52:54:00:12:34:56")
]
Sha256: TypeAlias = Annotated[str, _matching(r"[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits")]
PortName: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(
        r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]|([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}"
        r"|(?!\.{1,2}\Z)[!-.0-9;-~]{1,15}",
        "a port's name such as ens1f0, PCI address such as 0000:41:00.0, or MAC address",
    ),
]


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise ValueError("an IPv4 address such as 239.1.1.1") from error


InterfaceName: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(r"(?!\.{1,2}\Z)[!-.0-9;-~]{1,15}", "a network device's name such as ens1f0"),
]
PciAddress: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]", "a PCI address such as 0000:41:00.0"),
]
FlowAddress: TypeAlias = Annotated[str, StringConstraints(strict=True), AfterValidator(_ipv4)]
MacAddress: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", "a MAC address such as 52:54:00:12:34:56"),
]
ClockIdentity: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(
        r"[0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6}", "a clock's identity as pmc(8) shows it: 001b21.fffe.3a4b5c"
    ),
]
BmcUrl: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True),
    _matching(r"https://[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?", "a BMC's address such as https://192.0.2.111"),
]
Dmi: TypeAlias = Annotated[str, _matching(r"[ -~]{0,128}", "at most 128 printable characters")]
Seconds: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=86_400)]
Deadline: TypeAlias = Annotated[float, Field(strict=True, ge=0.1, le=600, allow_inf_nan=False)]
