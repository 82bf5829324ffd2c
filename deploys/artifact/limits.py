"""The signed limits of a deploy: read, verified and held against the release before anything travels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deploys.errors import RefusedError
from engine.contract.faults import fault
from engine.contract.limits import Limits
from engine.ticket import signing


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLimits:
    """The files as they travel, and what they say."""

    content: str
    signature: str
    signers: str
    limits: Limits


def read_limits(path: Path, signers: Path | None, *, now_utc_ns: int) -> SignedLimits:
    """PATH, PATH.sig and who may sign; RefusedError when they do not fit, or the limits have expired."""
    allowed = signers or path.with_name("allowed_signers")
    content, signature, who = (_text(one) for one in (path, path.with_name(f"{path.name}.sig"), allowed))
    signed = signing.is_signed(
        content.encode(),
        signature,
        signers=allowed,
        identity=signing.LIMITS_IDENTITY,
        namespace=signing.LIMITS_NAMESPACE,
    )
    if not signed:
        raise RefusedError(
            f"{path}: the signature beside it is of nobody that {allowed} allows to sign limits"
        )
    limits = parse_limits(content, str(path))
    if limits.not_after_utc_ns <= now_utc_ns:
        raise RefusedError(f"{path}: these limits have expired; sign new ones")
    return SignedLimits(content=content, signature=signature, signers=who, limits=limits)


def parse_limits(content: str, where: str) -> Limits:
    """The limits of a text."""
    try:
        return Limits.model_validate_json(content)
    except ValueError as error:
        raise RefusedError(f"{where}: {fault(error)}") from error


def serial_of(content: str | None) -> int:
    """The serial of the limits that a host holds; 0 when it has none."""
    try:
        return int(json.loads(content or "{}").get("serial", 0))
    except (ValueError, TypeError, AttributeError):
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{path}: cannot be read: {error}") from error
