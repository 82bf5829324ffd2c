"""The artifact on the controller: what is in it, and how it travels."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.conformance.artifact import opened
from engine.contract.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A checked artifact in memory: small enough for that (engine/conformance/unpack.py), and each file in it
    is verified as it is packed."""

    manifest: Manifest
    digest: str
    packed: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """`hft-engine 1.0.0 (sha256:0123456789ab)`."""
        identity = self.manifest.identity
        return f"{identity.name} {identity.version} ({self.digest[:19]})"

    @property
    def program_sha256(self) -> str:
        """Of the program the manifest starts."""
        return next(f.sha256 for f in self.manifest.files if f.path == self.manifest.exec.program)


def read_package(path: Path) -> Package:
    """The artifact at PATH, a directory or a tar; ArtifactError names the first thing that is wrong."""
    with opened(path) as artifact:
        files = {
            file.path: (artifact.content(file.path), file.executable) for file in artifact.manifest.files
        }
        packed = pack({**files, "engine.json": (artifact.document, False)})
        return Package(manifest=artifact.manifest, digest=artifact.digest, packed=packed)


def pack(files: Mapping[str, tuple[bytes, bool]]) -> bytes:
    """A tar of these files (bytes, whether executable), with nothing of this machine in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (data, executable) in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o755 if executable else 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
