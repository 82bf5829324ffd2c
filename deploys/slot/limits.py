"""The signed limits of a deploy, as values, and who may have signed them. Pure; they are read and verified in
signed_limits.py.

Who may sign never travels with what is signed: it is what the host holds, and for a host that holds nothing
yet the file whose SHA-256 the inventory names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deploys.errors import RefusedError
from engine.contract.faults import fault
from engine.contract.limits import Limits
from transport.hint import command
from tuning.strict_json import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLimits:
    """The files as they travel, and what they say; `signers` is None until a host says whom it trusts."""

    content: str
    signature: str
    signers: str | None
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom a slot may believe: what the host holds (`digest` "absent": nothing), what the inventory names."""

    host: str
    path: str
    digest: str
    held: str | None
    named: str | None


def trusted_signers(brought: str | None, trust: Trust) -> str:
    """The text of the signers to verify under, or RefusedError; BROUGHT is the file of --signers, if any."""
    if trust.digest != "absent":
        return _held(brought, trust)
    if brought is None:
        raise RefusedError(
            trust.host,
            f"{trust.path} is not there yet, so nobody may sign limits",
            hint="add --signers FILE, of which the inventory names the SHA-256",
        )
    has = _sha256(brought)
    if trust.named is None:
        raise RefusedError(
            trust.host,
            f"the inventory names no signers of limits, and --signers has the SHA-256 {has}",
            hint="once it is known to be the right file: limits_signers_sha256 of the site",
        )
    if has != trust.named:
        raise RefusedError(
            trust.host,
            f"--signers has the SHA-256 {has[:12]}... and the inventory names {trust.named[:12]}...",
            hint="bring the file that the inventory names",
        )
    return brought


def _held(brought: str | None, trust: Trust) -> str:
    if trust.held is None or _sha256(trust.held) != trust.digest:
        raise RefusedError(trust.host, f"{trust.path} there cannot be read, so no limits can be verified")
    if brought is not None and brought != trust.held:
        seen = f"{trust.path} trusts other signers than --signers names, and a deploy does not change them"
        remove = command("engine", "remove", "--limit", trust.host)
        way = f"sign with a key of it, or remove the slot on purpose: {remove}"
        raise RefusedError(trust.host, seen, hint=way)
    return trust.held


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def parse_limits(content: str, where: str) -> Limits:
    """The limits of a text."""
    try:
        parse(content)
        return Limits.model_validate_json(content)
    except ValueError as error:
        raise RefusedError("", f"{where}: {fault(error)}") from error


def serial_of(content: str | None) -> int:
    """The serial of the limits that a host holds; 0 when it has none."""
    return 0 if content is None else parse_limits(content, "the limits there").serial
