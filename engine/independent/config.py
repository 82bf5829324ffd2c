"""Parsing the run configuration: the fields this engine uses, their types, and the version rules."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NamedTuple

from engine.independent import text
from engine.independent.fault import CONFIGURATION, EndError
from engine.independent.mutants import broken

CONTRACT = "1.2.0"
_OPTIONAL = (dict, type(None))
FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str, "slot": str, "egress": str, "venue_profile": str, "feeds": list, "rerequest": _OPTIONAL,
    "feed_stale_ms": int, "gateway": _OPTIONAL, "admin_socket": str, "metrics_page": str,
    "journal_directory": str,
    "latch_file": str, "limits_file": str, "allowed_signers": str, "ring_bytes": int, "durability": str,
    "idle": str,
    "cpus": dict, "drain_timeout_ms": int,
}  # fmt: skip
MAY_LACK: dict[str, type | tuple[type, ...]] = {
    "feed_sources": list, "feed_session": (str, type(None)), "order_age_max_ms": int,
    "link_silence_max_ms": int,
}  # fmt: skip
ORDER_AGE_MS, LINK_SILENCE_MS = 5_000, 15_000
KNOWN = {*FIELDS, *MAY_LACK, "contract", "critical", "dropcopy", "ticket_socket", "strategy"}
CHOICES = {
    "egress": ("live", "shadow", "test"),
    "venue_profile": ("ouch5-2023-05", "ouch5-later"),
    "idle": ("spin", "yield", "backoff"),
}


class Config(NamedTuple):
    """A valid configuration: the document and its digest."""

    values: dict[str, Any]
    digest: str


def read(path: Path) -> Config:
    """The configuration in PATH, or exit with code 64."""
    try:
        values = text.load(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EndError(CONFIGURATION, f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise EndError(CONFIGURATION, f"{path}: not a JSON object")
    wrong = _wrong(values)
    if wrong:
        raise EndError(1 if broken("config.refused") else CONFIGURATION, f"{path}: {wrong}")
    unreadable = _unreadable(values)
    if unreadable:
        raise EndError(CONFIGURATION, f"{path}: {unreadable}")
    return Config(values, text.sha256(text.canonical(values)))


def _wrong(values: dict[str, Any]) -> str:
    for name, kind in FIELDS.items():
        found = values.get(name, ...)
        if not isinstance(found, kind) or isinstance(found, bool):
            return f"{name} is missing or has a wrong type"
    for name, kind in MAY_LACK.items():
        if name in values and (not isinstance(values[name], kind) or isinstance(values[name], bool)):
            return f"{name} has a wrong type"
    for name, known in CHOICES.items():
        if values[name] not in known:
            return f"{name} is {values[name]!r}, not one of {', '.join(known)}"
    if values["durability"] not in ("none", "durable"):
        return f"durability {values['durability']!r} is not offered by this engine"
    return _unreachable(values)


def _unreachable(values: dict[str, Any]) -> str:
    for sender in values.get("feed_sources", []):
        try:
            socket.inet_aton(sender)
        except (OSError, TypeError):
            return f"feed_sources: {sender!r} is no address"
    for feed in values["feeds"]:
        try:
            socket.inet_aton(feed["group"] if isinstance(feed["port"], int) else "")
        except (OSError, KeyError, TypeError):
            return f"feed {feed!r} has no address and port"
    return ""


def _unreadable(values: dict[str, Any]) -> str:
    """The contract's rules for versions and unknown fields."""
    major = str(values.get("contract", CONTRACT)).split(".", maxsplit=1)[0]
    if major != "1" and not broken("version.major"):
        return f"contract {values['contract']} is not {CONTRACT}"
    unknown = sorted(set(values.get("critical", [])) - KNOWN)
    if unknown and not broken("version.critical"):
        return f"critical field {unknown[0]!r} is not known here"
    stray = sorted(set(values) - KNOWN - set(values.get("critical", [])))
    if stray and broken("version.unknown"):
        return f"field {stray[0]!r} is not known here"
    return ""
