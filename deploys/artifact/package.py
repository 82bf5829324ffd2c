"""The artifact on the controller: what is in it, and how it travels."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from engine.conformance.artifact import opened
from engine.contract.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A checked artifact in memory: small enough for that, and no second reading can differ."""

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
        executable = {file.path: file.executable for file in artifact.manifest.files}
        packed = pack(artifact.directory, executable)
        return Package(manifest=artifact.manifest, digest=artifact.digest, packed=packed)


def pack(directory: Path, executable: dict[str, bool]) -> bytes:
    """A tar of the listed files and the manifest, with nothing of this machine in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted({*executable, "engine.json"}):
            data = (directory / name).read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o755 if executable.get(name) else 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
