"""Host certificates of OpenSSH (PROTOCOL.certkeys): which host key an authority vouches for, for which names.

Read here are the fields; that the signature is the authority's is ssh-keygen(1)'s to say, which refuses a
certificate whose signature is wrong. A certificate is a public statement: whoever replays one vouches for
the certified key and for nobody else's.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from inventory.errors import IdentityError

SUFFIX = "-cert-v01@openssh.com"
HOST = 2  # SSH_CERT_TYPE_HOST
# Base type -> strings between the nonce and the serial number, which are those of the plain key.
_PARTS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What one certificate says; times are seconds since 1970."""

    host_key: str  # `ssh-ed25519 AAAA...`
    authority: bytes  # the public key that signed it, as it stands in a public key line
    is_of_host: bool
    names: tuple[str, ...]
    valid_from_s: int
    valid_to_s: int

    def fault(self, name: str, now_s: float) -> str:
        """Why it vouches for no host called NAME at NOW_S; "" where it does."""
        if not self.is_of_host:
            return "it is of a user, not of a host"
        if not self.valid_from_s <= now_s < self.valid_to_s:
            return "it does not hold at this time"
        if name not in self.names:  # one without names would hold for every host: PROTOCOL.certkeys
            return f"it is for {', '.join(self.names)[:200] or 'every host'}, not for {name}"
        return ""


def read_certificate(line: str) -> Certificate:
    """A public key line (type, base64) as a certificate; IdentityError for anything else."""
    words = line.split()
    try:
        given, blob = words[0], base64.b64decode(words[1], validate=True)
        base = given.removesuffix(SUFFIX)
        rest = _Reader(blob)
        if not given.endswith(SUFFIX) or base not in _PARTS or rest.string() != given.encode():
            raise ValueError("no certificate of a known kind")
        rest.string()  # the nonce
        parts = [rest.string() for _ in range(_PARTS[base])]
        rest.number(8)  # the serial number
        kind = rest.number(4)
        rest.string()  # the key id, which is for logs
        names = _Reader(rest.string()).strings()
        valid_from_s, valid_to_s = rest.number(8), rest.number(8)
        rest.string()  # critical options: none is defined for hosts
        rest.string()  # extensions, likewise
        rest.string()  # reserved
        authority = rest.string()
    except (IndexError, ValueError, binascii.Error) as error:
        raise IdentityError(f"not a host certificate: {line[:60]!r}") from error
    plain = b"".join(len(part).to_bytes(4, "big") + part for part in (base.encode(), *parts))
    return Certificate(
        host_key=f"{base} {base64.b64encode(plain).decode()}",
        authority=authority,
        is_of_host=kind == HOST,
        names=tuple(name.decode("utf-8", "replace") for name in names),
        valid_from_s=valid_from_s,
        valid_to_s=valid_to_s,
    )


class _Reader:
    """The wire format of RFC 4251, section 5; ValueError where the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if size > len(self.data):
            raise ValueError("it ends too early")
        found, self.data = self.data[:size], self.data[size:]
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        return self.take(self.number(4))

    def strings(self) -> list[bytes]:
        found = []
        while self.data:
            found.append(self.string())
        return found
