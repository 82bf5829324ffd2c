"""The wire between engine and gateway: SoupBinTCP framing, link packets, then OUCH byte for byte.

Frame: length u16 big-endian (of what follows), type u8, payload. The link packets use lower-case letters,
which SoupBinTCP 3.00 does not use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from engine.contract.config import Egress
from engine.contract.versioning import Part

NONCE_BYTES = 32
HELLO_BYTES_MAX = 8192
EPOCH_MAX = 36**5 - 1
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Hello(Part):
    """Payload of `h`."""

    contract: str
    slot: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,16}$")]
    egress: Egress
    ticket: dict[str, Any] | None


class Welcome(Part):
    """Payload of `w`."""

    session: str = ""
    next_urn: int = Field(default=1, ge=1)
    beat_ms: int = Field(default=0, ge=0)  # so often the engine shall beat; 0: it is not asked to


class RefusedFrame(Part):
    """Payload of `x`: in answer to HELLO or CLAIM, or in-band for one message."""

    code: str
    detail: str = ""
    urn: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One kind of frame on the link."""

    letter: str
    sender: Literal["engine", "gateway"]
    payload: str
    meaning: str


PACKETS: tuple[Packet, ...] = (
    Packet(
        letter="n", sender="gateway", payload="32 random bytes", meaning="nonce, first on every connection"
    ),
    Packet(
        letter="h",
        sender="engine",
        payload="JSON, at most 8 KiB",
        meaning="HELLO; the ticket covers the nonce, null on a test gateway",
    ),
    Packet(letter="w", sender="gateway", payload="JSON", meaning="welcome, in answer to HELLO and to CLAIM"),
    Packet(
        letter="x",
        sender="gateway",
        payload="JSON",
        meaning="refused; after HELLO or CLAIM it closes, in-band it names the `urn` of the one message it "
        "refused",
    ),
    Packet(
        letter="m",
        sender="gateway",
        payload="number of the next response, u64 big-endian",
        meaning="mark behind the replay, once after a login: everything before that number was sent",
    ),
    Packet(
        letter="c", sender="engine", payload="epoch, u64 big-endian", meaning="CLAIM, once on a connection"
    ),
    Packet(
        letter="b",
        sender="engine",
        payload="flags u8 (1 STANDBY, 2 feed fresh, 4 latched), the feed's next number u64 big-endian",
        meaning="BEAT, from the hot loop; at least every `beat_ms` of the welcome, and only where it has one",
    ),
    Packet(
        letter="f",
        sender="gateway",
        payload="epoch, u64 big-endian",
        meaning="FENCED IN, to a standby that holds a link: this epoch is durable for it, it claims it there",
    ),
    Packet(
        letter="L",
        sender="engine",
        payload="46 bytes",
        meaning="SoupBinTCP login; requests sequence numbers after the last one seen",
    ),
    Packet(
        letter="A", sender="gateway", payload="30 bytes", meaning="login accepted: session, next sequence"
    ),
    Packet(letter="J", sender="gateway", payload="1 byte", meaning="login rejected"),
    Packet(letter="U", sender="engine", payload="OUCH", meaning="unsequenced: an order message"),
    Packet(letter="S", sender="gateway", payload="OUCH", meaning="sequenced: a response"),
    Packet(letter="R", sender="engine", payload="none", meaning="heartbeat"),
    Packet(letter="H", sender="gateway", payload="none", meaning="heartbeat"),
    Packet(letter="O", sender="engine", payload="none", meaning="logout"),
    Packet(letter="Z", sender="gateway", payload="none", meaning="end of session"),
)

# OUCH 5.0 of 2 May 2023 (profile ouch5-2023-05), lengths with the appendage length where there is one.
OUCH_LENGTHS: dict[str, dict[str, int]] = {
    "ouch5-2023-05": {"O": 47, "X": 9, "A": 64, "C": 18, "E": 36, "J": 29},
    "ouch5-later": {"O": 47, "X": 11, "A": 64, "C": 20, "E": 36, "J": 31},
}


def base36(value: int, width: int) -> str:
    """VALUE in WIDTH upper-case base-36 digits; ValueError when it does not fit."""
    digits = ""
    for _ in range(width):
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    if value:
        raise ValueError(f"does not fit {width} base-36 digits")
    return digits


def clordid(epoch: int, sequence: int) -> str:
    """The 14 characters that show the venue which epoch sent an order."""
    return (base36(epoch, 5) + base36(sequence, 8)).ljust(14)


def frame(letter: str, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">H", 1 + len(payload)) + letter.encode("ascii") + payload


def frames(buffer: bytearray) -> list[tuple[str, bytes]]:
    """Take all complete frames from the front of BUFFER."""
    found: list[tuple[str, bytes]] = []
    while len(buffer) >= 3:
        (length,) = struct.unpack_from(">H", buffer)
        if length < 1 or len(buffer) < 2 + length:
            break
        found.append((chr(buffer[2]), bytes(buffer[3 : 2 + length])))
        del buffer[: 2 + length]
    return found
