"""The signed limits of a deploy: read, and verified under what the host trusts, before anything travels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from deploys.errors import RefusedError
from deploys.slot.limits import SignedLimits, Trust, parse_limits, trusted_signers
from deploys.slot.slot_changes import Asked
from deploys.slot.slot_state import Seen
from engine.host import places
from engine.ticket import signing
from inventory.bounded import read_bounded, reason_of
from inventory.model import Host

SIZE_MAX = 1 << 20


def read_limits(path: Path, signers: Path | None, *, now_utc_ns: int) -> SignedLimits:
    """PATH and PATH.sig; RefusedError when they have expired, or SIGNERS (--signers) did not sign them."""
    content, signature = (_text(one) for one in (path, path.with_name(f"{path.name}.sig")))
    who = _text(signers) if signers is not None else None
    limits = parse_limits(content, str(path))
    if limits.not_after_utc_ns <= now_utc_ns:
        raise RefusedError("", f"{path}: these limits have expired", hint="sign new ones")
    found = SignedLimits(content=content, signature=signature, signers=who, limits=limits)
    if who is not None:
        _verify(found, who, "", f"--signers {signers}")
    return found


def vouched(host: Host, asked: Asked, seen: Seen) -> Asked:
    """What was asked, its limits verified under the signers of this host's slot; RefusedError when they are
    not."""
    if asked.limits is None:
        return asked
    path = places.signers_of(asked.slot)
    trust = Trust(
        host=host.name,
        path=path,
        digest=seen.files.get(path, "absent"),
        held=seen.texts.get(path),
        named=asked.signers_sha256,
    )
    who = trusted_signers(asked.limits.signers, trust)
    _verify(asked.limits, who, host.name, f"{path} there")
    return replace(asked, limits=replace(asked.limits, signers=who))


def _verify(limits: SignedLimits, signers: str, host: str, where: str) -> None:
    with NamedTemporaryFile("w", encoding="utf-8", prefix="hft-signers-") as held:
        held.write(signers)
        held.flush()
        signed = signing.is_signed(
            limits.content.encode(),
            limits.signature,
            signers=Path(held.name),
            identity=signing.LIMITS_IDENTITY,
            namespace=signing.LIMITS_NAMESPACE,
        )
    if not signed:
        raise RefusedError(host, f"the limits are signed by nobody that {where} allows to sign limits")


def _text(path: Path) -> str:
    try:
        return read_bounded(path, SIZE_MAX).decode("utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the path
        raise RefusedError("", f"{path}: cannot be read: {reason_of(error)}") from error
