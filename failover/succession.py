"""What the authority allows in advance: one failover, from one holder to one successor, once. Pure.

No signing key lies on an engine's host, so an automatic failover needs its permission signed before. It is
bound to the epoch that was seen and to its holder, names the successor and what that may run, says how long
the holder has to be silent and how much may be lost, and expires. It is used once, so there is no second
automatic failover without a new one. Signature, clock and use record are values here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from failover.epochs import EPOCH_MAX

CheckCode = Literal[
    "signature", "used", "expired", "epoch", "holder", "successor", "approved", "silence", "loss"
]  # fmt: skip
Runs = tuple[str, str, str]  # digests of artifact, configuration, limits
SCHEMA = 1
SILENCE_MS_MAX = 600_000
LOSS_MAX = 1 << 31
PARTS = ("artifact", "config", "limits")
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}/[a-z0-9]{1,16}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KEYS = (
    "schema", "epoch_seen", "holder", "successor", "approved", "silence_ms", "loss_max_records", "not_after_s"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What is signed."""

    epoch_seen: int
    holder: str  # HOST/SLOT, of that epoch
    successor: str  # HOST/SLOT
    approved: tuple[Runs, ...]  # what the successor may run
    silence_ms: int  # the holder has to be silent at least so long
    loss_max_records: int
    not_after_s: int  # UTC, seconds since 1970; the first second at which it is refused

    def body(self) -> dict[str, Any]:
        """The document whose canonical bytes are signed."""
        return {
            "schema": SCHEMA,
            "epoch_seen": self.epoch_seen,
            "holder": self.holder,
            "successor": self.successor,
            "approved": [dict(zip(PARTS, one, strict=True)) for one in self.approved],
            "silence_ms": self.silence_ms,
            "loss_max_records": self.loss_max_records,
            "not_after_s": self.not_after_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found by whoever is about to use it."""

    is_signed: bool  # by the authority, for successions, over the canonical bytes
    is_used: bool  # this document, here, before
    now_s: int
    epoch: int  # the highest one
    holder: str  # of that epoch
    successor: str  # who would be fenced in
    runs: Runs  # what that one runs
    silence_ms: int  # since the holder was heard last
    loss_records: int  # that the successor is known to lack


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The first check that does not hold, and the sentence that says so."""

    code: CheckCode
    sentence: str


Check = tuple[CheckCode, Callable[[Succession, Found], str]]


def _signature(_: Succession, found: Found) -> str:
    return "" if found.is_signed else "the authority has not signed these bytes as a succession"


def _used(_: Succession, found: Found) -> str:
    return "it was used before; the authority signs a new one" if found.is_used else ""


def _expired(one: Succession, found: Found) -> str:
    return "" if found.now_s < one.not_after_s else f"it expired {found.now_s - one.not_after_s} s ago"


def _epoch(one: Succession, found: Found) -> str:
    return "" if found.epoch == one.epoch_seen else f"it is for epoch {one.epoch_seen}, now {found.epoch}"


def _holder(one: Succession, found: Found) -> str:
    if found.holder == one.holder:
        return ""
    return f"it is for the holder {one.holder}, and {found.holder or 'nobody'} holds the epoch"


def _successor(one: Succession, found: Found) -> str:
    return "" if found.successor == one.successor else f"it names {one.successor}, not {found.successor}"


def _approved(one: Succession, found: Found) -> str:
    if found.runs in one.approved:
        return ""
    return f"{found.successor} runs {', '.join(found.runs)}, and that is not approved"


def _silence(one: Succession, found: Found) -> str:
    if found.silence_ms >= one.silence_ms:
        return ""
    return f"the holder was heard {found.silence_ms} ms ago, and it wants {one.silence_ms} ms of silence"


def _loss(one: Succession, found: Found) -> str:
    if found.loss_records <= one.loss_max_records:
        return ""
    return f"{found.loss_records} records would be lost, and {one.loss_max_records} may be"


CHECKS: tuple[Check, ...] = (
    ("signature", _signature),
    ("used", _used),
    ("expired", _expired),
    ("epoch", _epoch),
    ("holder", _holder),
    ("successor", _successor),
    ("approved", _approved),
    ("silence", _silence),
    ("loss", _loss),
)


def refused(one: Succession, found: Found, checks: Sequence[Check] = CHECKS) -> Refusal | None:
    """The first check that does not hold; None when the successor may be fenced in."""
    for code, check in checks:
        if sentence := check(one, found):
            return Refusal(code=code, sentence=sentence)
    return None


def succession_from(document: object) -> Succession:
    """The succession in a document; ValueError names what is wrong with it."""
    if (
        not isinstance(document, dict)
        or set(document) != set(_KEYS)
        or repr(document["schema"]) != repr(SCHEMA)
    ):
        raise ValueError(f"a succession has exactly the keys {', '.join(_KEYS)}, with schema {SCHEMA}")
    for key in ("holder", "successor"):
        if not _matches(_HOLDER, document[key]):
            raise ValueError(f"{key}: expected HOST/SLOT, such as engine-1/a")
    if document["holder"] == document["successor"]:
        raise ValueError("successor: it is the holder itself")
    return Succession(
        epoch_seen=_integer(document, "epoch_seen", 1, EPOCH_MAX - 1),
        holder=document["holder"],
        successor=document["successor"],
        approved=_approved_from(document["approved"]),
        silence_ms=_integer(document, "silence_ms", 1, SILENCE_MS_MAX),
        loss_max_records=_integer(document, "loss_max_records", 0, LOSS_MAX),
        not_after_s=_integer(document, "not_after_s", 1, 1 << 40),
    )


def _integer(document: dict[str, Any], key: str, least: int, most: int) -> int:
    found = document[key]
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise ValueError(f"{key}: expected a whole number from {least} to {most}")
    return found


def _approved_from(rows: object) -> tuple[Runs, ...]:
    if not isinstance(rows, list) or not rows:
        raise ValueError("approved: expected at least one set of digests")
    for row in rows:
        if not isinstance(row, dict) or set(row) != set(PARTS):
            raise ValueError(f"approved: a set has exactly the keys {', '.join(PARTS)}")
        if wrong := [key for key in PARTS if not _matches(_DIGEST, row[key])]:
            raise ValueError(f"approved: {wrong[0]}: expected sha256: and 64 hexadecimal digits")
    return tuple((row["artifact"], row["config"], row["limits"]) for row in rows)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
