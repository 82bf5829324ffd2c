"""The decision of the ticket issuer: may this process hold a ticket for that slot? Values in, a ticket out.

The host's owner defines the slots: release directory, configuration, limits, user. The process names only
slot and nonce. Refusals:

    slot_unknown      no such slot on this host
    nonce             not 64 hexadecimal digits
    uid               another user's process
    exe_not_released  the running executable is not the program the release's manifest lists
    interpreter       an interpreted engine, and the host's owner did not list that interpreter's hash
    release           the directory is not what its manifest says
    file              configuration or limits cannot be read

For an interpreted engine the ticket proves which interpreter is running, not which script: a command line is
only a claim of the process. Hosts that trade should list no interpreter.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from engine.contract.canonical import canonical
from engine.ticket import signing
from engine.ticket.errors import TicketError
from engine.ticket.process import Process, file_sha256
from engine.ticket.release import Release, read_release

Ticket: TypeAlias = dict[str, str | int]
_NONCE = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place for an engine on this host, as its owner configured it."""

    release: Path
    config: Path
    limits: Path
    uid: int
    interpreters: tuple[str, ...] = ()  # hex SHA-256 of executables that may run an interpreted engine


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerIdentity:
    """The issuer's own identity."""

    name: str
    key: Path
    slots: dict[str, Slot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The signed part of a ticket."""

    host: str
    boot_id: str
    pid: int
    start_time: int
    slot: str
    artifact: str
    config: str
    limits: str
    nonce: str


def issue(host: IssuerIdentity, slot_name: str, nonce: str, process: Process) -> Ticket:
    """A signed ticket for PROCESS, or TicketError with one of the codes above."""
    slot = host.slots.get(slot_name)
    if slot is None:
        raise TicketError(
            "slot_unknown", f"{host.name} has no slot {slot_name!r}; it has {sorted(host.slots)}"
        )
    if not _NONCE.match(nonce):
        raise TicketError("nonce", "the nonce must be the gateway's 32 bytes in hexadecimal")
    if process.uid != slot.uid:
        raise TicketError(
            "uid", f"process {process.pid} runs as uid {process.uid}, slot {slot_name} is for {slot.uid}"
        )
    release = read_release(slot.release)
    refuse_stranger(slot, release, process)
    claims = Claims(
        host=host.name,
        boot_id=process.boot_id,
        pid=process.pid,
        start_time=process.start_time,
        slot=slot_name,
        artifact=release.digest,
        config=_digest_of(slot.config),
        limits=_digest_of(slot.limits),
        nonce=nonce,
    )
    return sign_claims(claims, host.key)


def refuse_stranger(slot: Slot, release: Release, process: Process) -> None:
    """The hash of the running executable decides, not its path or its directory."""
    if release.is_interpreted:
        if process.exe_sha256 not in slot.interpreters:
            raise TicketError(
                "interpreter", f"process {process.pid} runs an interpreter that this host does not list"
            )
    elif process.exe_sha256 != release.program_sha256:
        raise TicketError(
            "exe_not_released", f"process {process.pid} does not run the program of {slot.release}"
        )


def sign_claims(claims: Claims, key: Path) -> Ticket:
    """The ticket as it travels: the claims and their signature."""
    body: Ticket = asdict(claims)
    return {**body, "signature": signing.sign(canonical(body), key, signing.TICKET_NAMESPACE)}


def is_genuine(ticket: Ticket, signers: Path) -> bool:
    """The gateway's check of the signature: the host that the ticket names signed the rest of it."""
    body = {name: value for name, value in ticket.items() if name != "signature"}
    return signing.is_signed(
        canonical(body),
        str(ticket.get("signature", "")),
        signers=signers,
        identity=str(ticket.get("host", "")),
        namespace=signing.TICKET_NAMESPACE,
    )


def _digest_of(path: Path) -> str:
    try:
        return "sha256:" + file_sha256(path)
    except OSError as error:
        raise TicketError("file", f"{path}: {error.strerror}") from error
