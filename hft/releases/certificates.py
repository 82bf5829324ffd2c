"""Certificates of releases, read and held against the bytes at hand."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from hft.errors import Exit, HftError
from hft.signed_document import read_signed
from release.certificate import (
    Certificate,
    Refusal,
    Seen,
    Version,
    certificate_from,
    refused,
    version_from,
)

NAMESPACE = "hft-release"
IDENTITY = "release"
SBOM_MAX = 64 << 20


def refusal_of(  # noqa: PLR0913  # each by name
    certificate: Path, artifact: Path, *, sbom: Path, signers: Path, host_class: str, floor: str
) -> tuple[Refusal | None, tuple[Certificate, Version]]:
    """The first check that does not hold; the certificate, and the floor that was given.

    Raises: HftError for files that cannot be read.
    """
    one, is_signed = read_certificate(certificate, signers)
    try:
        seen = Seen(
            **artifact_facts(artifact),
            is_signed=is_signed,
            sbom=file_digest(sbom),
            host_class=host_class,
            floor=version_from(floor),
            now_s=int(time.time()),
        )
    except (ValueError, OSError) as error:
        raise HftError(Exit.BAD_INPUT, f"it cannot be verified: {error}") from error
    return refused(one, seen), (one, seen.floor)


def read_certificate(path: Path, signers: Path) -> tuple[Certificate, bool]:
    """The certificate of a file, and whether a key of SIGNERS has signed it; HftError when it is none."""
    one = read_signed(path, "certificate", certificate_from, signers, identity=IDENTITY, namespace=NAMESPACE)
    return one.found, one.is_signed


def artifact_facts(path: Path) -> dict[str, Any]:
    """Digest, name and version of the artifact, each file verified; ArtifactError names the first fault."""
    from engine.conformance.artifact import opened

    with opened(path) as found:
        for file in found.manifest.files:
            found.content(file.path)
        identity = found.manifest.identity
        try:
            version = version_from(identity.version)
        except ValueError as error:
            raise HftError(Exit.BAD_INPUT, f"{path}: {error}") from error
        return {"artifact": found.digest, "name": identity.name, "version": version}


def file_digest(path: Path) -> str:
    """`sha256:HEX` of a bounded file."""
    from inventory.bounded import read_bounded

    return "sha256:" + hashlib.sha256(read_bounded(path, SBOM_MAX)).hexdigest()
