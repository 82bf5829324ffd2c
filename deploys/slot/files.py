"""Every file that a slot's deploy brings, with its mode and why. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploys.errors import RefusedError
from deploys.paths import SYSTEMD_DIR
from deploys.slot.limits import SignedLimits
from deploys.slot.program import program
from deploys.slot.unit import TICKET_PROGRAM, TICKET_UNIT, ticket_unit
from engine.contract.canonical import canonical
from engine.host import places
from tuning.strict_json import Table, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFile:
    """One file: bytes, mode, and whether the engine has to start again for it."""

    path: str
    content: bytes = field(repr=False)
    why: str
    mode: int = 0o644
    secret: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes that land on disk."""
        return hashlib.sha256(self.content).hexdigest()

    def step(self, seen: str) -> dict[str, Any]:
        """The transaction's word for it."""
        head = {"kind": "file", "path": self.path, "mode": self.mode, "before": seen, "why": self.why}
        head |= {"secret": True} if self.secret else {}
        try:
            return {**head, "content": self.content.decode()}
        except UnicodeDecodeError:
            return {**head, "content_base64": base64.b64encode(self.content).decode()}


def unit_path(unit: str) -> str:
    """Where a unit file lies."""
    return f"{SYSTEMD_DIR}/{unit}"


def slot_files(
    slot: str, *, unit: str, config: bytes, limits: SignedLimits | None, ticket: bytes
) -> tuple[SlotFile, ...]:
    """The files of a slot, and those of the host that its slots share."""
    found = [
        SlotFile(
            path=places.config_of(slot),
            content=config,
            mode=0o600,
            secret=True,
            why="CPUs, feeds, gateway, strategy",
        ),
        SlotFile(path=unit_path(places.unit_of(slot)), content=unit.encode(), why="how the engine runs here"),
        SlotFile(
            path=places.TICKET_CONFIG, content=ticket, why="what the ticket issuer vouches for, per slot"
        ),
        SlotFile(path=TICKET_PROGRAM, content=program(), why="the ticket issuer, standard library only"),
        SlotFile(path=unit_path(TICKET_UNIT), content=ticket_unit().encode(), why="how the issuer runs here"),
    ]
    if limits is not None:
        if limits.signers is None:
            raise RefusedError("", "the limits were not verified", hint="please report it")
        path = places.limits_of(slot)
        found += [
            SlotFile(
                path=f"{path}.sig", content=limits.signature.encode(), why="the signature of the limits"
            ),
            SlotFile(path=path, content=limits.content.encode(), why="what the engine may do at most"),
            SlotFile(
                path=places.signers_of(slot), content=limits.signers.encode(), why="who may sign limits"
            ),
        ]
    return tuple(found)


def ticket_config(host: str, before: str | None, slot: str, entry: Mapping[str, Any]) -> bytes:
    """The issuer's configuration with this slot's entry; the other slots stay as they are."""
    try:
        found = Table.of(parse(before or "{}")).table_or_none("slots")
        slots: dict[str, object] = dict(found.fields) if found else {}
        slots[slot] = dict(entry)
        return canonical({"host": host, "key": places.TICKET_KEY, "slots": slots})
    except ValueError as error:
        raise RefusedError(
            host, f"{places.TICKET_CONFIG} there cannot be read", hint=f"remove it: {error}"
        ) from error
