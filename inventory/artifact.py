"""Signed inventories as files: read as every verb reads them, and written whole.

What a reader looks at, in this order: form, signature, content, time, generation. Nothing of a file is
believed before its signature, and nothing is kept before everything else was right. It needs no network and
no provisioning engine: on-call reads this file when neither answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inventory.bounded import read_bounded, reason_of
from inventory.enrolment import enrolment_path, write_whole
from inventory.envelope import (
    SIZE_MAX,
    SUFFIX,
    Envelope,
    at_second,
    body_of,
    digest_of,
    rendered,
    signed_bytes,
    taken_apart,
)
from inventory.errors import InventoryError
from inventory.generation import Used, last_used, refuse_older, use
from inventory.model import Site
from inventory.sshsig import signature_of, signer_of, verify
from inventory.validation_message import explain
from inventory.words import Name

DAYS_MOST = 366
_NAME = TypeAdapter[str](Name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A signed inventory that was verified: what it says, who signed it, what it is."""

    envelope: Envelope
    signer: str  # fingerprint
    sha256: str  # of what is signed


def is_signed_name(path: Path) -> bool:
    """Whether a file of this name has to be a signed inventory, whatever is in it."""
    return path.name.endswith(SUFFIX)


def read_artifact(path: Path, data: bytes, *, now: datetime, keep: bool = True) -> Artifact:
    """The signed inventory in DATA, the bytes of PATH; InventoryError with one sentence for any fault.

    With KEEP its generation becomes the oldest that this controller still takes (StateError when that cannot
    be kept); without it an older one is refused all the same.
    """
    try:
        found = _verified(data)
        if fault := found.envelope.fault_at(now):
            raise InventoryError(fault)
        _refuse_enrolled(path)
        _settle_generation(found, keep=keep)
    except InventoryError as error:
        raise InventoryError(f"{path}: {error}") from error
    return found


def _verified(data: bytes) -> Artifact:
    try:
        body, signature = taken_apart(data)
        payload = signed_bytes(body)
    except (ValueError, RecursionError) as error:
        raise InventoryError(f"not a signed inventory: {str(error)[:200]}") from error
    signer = verify(payload, signature, site=_site_name(body))
    try:
        return Artifact(envelope=Envelope.model_validate(body), signer=signer, sha256=digest_of(body))
    except ValidationError as error:
        raise InventoryError(explain(error, body)[0]) from error


def _site_name(body: dict[str, object]) -> str:
    site = body.get("site")
    try:
        return _NAME.validate_python(site.get("name") if isinstance(site, dict) else None)
    except ValidationError:
        raise InventoryError("not a signed inventory: it names no site") from None


def _refuse_enrolled(path: Path) -> None:
    beside = enrolment_path(path)
    if beside.exists() or beside.is_symlink():
        raise InventoryError(
            f"its identities are inside, and {beside} would change them unsigned; hint: move that file away"
        )


def _settle_generation(found: Artifact, *, keep: bool) -> None:
    site, seen = found.envelope.site.name, Used(generation=found.envelope.generation, sha256=found.sha256)
    if keep:
        use(site, seen)
    else:
        refuse_older(seen, last_used(site))


def next_generation(site: str, path: Path) -> int:
    """One above what this controller used and what PATH holds; InventoryError for a PATH of another kind."""
    last = last_used(site)
    return 1 + max(last.generation if last else 0, _generation_in(path, site))


def _generation_in(path: Path, site: str) -> int:
    try:
        body, _ = taken_apart(read_bounded(path, SIZE_MAX))
        named, generation = _site_name(body), body.get("generation")
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, InventoryError) as error:
        said = reason_of(error) if isinstance(error, OSError | ValueError) else error
        raise InventoryError(f"{path}: not overwritten, because it is no signed inventory: {said}") from error
    if named != site or not isinstance(generation, int):
        raise InventoryError(
            f"{path}: not overwritten, because it is an inventory of site {named!r}, not {site!r}"
        )
    return generation


def made(  # noqa: PLR0913  # each by name
    site: Site,
    *,
    generation: int,
    now: datetime,
    valid_for: timedelta,
    engine: str | None = None,
    stack: str | None = None,
) -> Envelope:
    """The envelope of a site; InventoryError for a host without identity, or what no reader would take."""
    made_at, expires = at_second(now), at_second(now + valid_for)
    fields = {
        "generation": generation,
        "made_at": made_at,
        "expires": expires,
        "engine": engine,
        "stack": stack,
    }
    try:
        return Envelope.model_validate({"schema": 1, "site": site, **fields})
    except ValidationError as error:
        raise InventoryError(explain(error, None)[0]) from error


def write_artifact(path: Path, envelope: Envelope, key: Path) -> Artifact:
    """Sign ENVELOPE with KEY and put it at PATH, whole and durable: readers see the old file or the new one.

    From here on this controller takes no older generation of the site.
    """
    if not is_signed_name(path):
        raise InventoryError(f"{path}: the name of a signed inventory ends in {SUFFIX}")
    body = body_of(envelope)
    signature = signature_of(signed_bytes(body), key)
    data = rendered(body, signature)
    if taken_apart(data) != (body, signature):
        raise InventoryError(f"{path}: what was signed would not read back as it was; nothing was written")
    seen = Used(generation=envelope.generation, sha256=digest_of(body))
    refuse_older(seen, last_used(envelope.site.name))
    try:
        write_whole(path, data)
    except OSError as error:
        raise InventoryError(f"{path}: cannot be written: {error.strerror}") from error
    use(envelope.site.name, seen)
    return Artifact(envelope=envelope, signer=signer_of(signature), sha256=seen.sha256)
