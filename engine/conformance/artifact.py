"""An artifact: a directory, or a tar of one, with `engine.json` and the files that it lists.

It may come from somebody else. What is taken in is bounded before it is kept, a compressed file by what comes
out of it; a file is opened below its directory without following a link on the way, and read once: the bytes
that were verified are the bytes that are used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.conformance.errors import ArtifactError
from engine.conformance.unpack import ARTIFACT_MAX, unpack
from engine.contract.canonical import parse
from engine.contract.faults import fault
from engine.contract.manifest import Manifest, manifest_digest

MANIFEST_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A checked artifact on disk."""

    directory: Path
    manifest: Manifest
    digest: str
    document: bytes = field(repr=False)  # engine.json as it was read

    @property
    def argv(self) -> list[str]:
        """The command that starts it, without the arguments of the contract."""
        exec_ = self.manifest.exec
        return [*exec_.interpreter, str(self.directory / exec_.program), *exec_.arguments]

    def content(self, name: str) -> bytes:
        """The bytes of one listed file; ArtifactError when they are not the listed ones (any more)."""
        listed = next(file for file in self.manifest.files if file.path == name)
        return _content(self.directory, listed.path, listed.sha256)


@contextmanager
def opened(path: Path) -> Iterator[Artifact]:
    """The artifact in PATH; a tar stays unpacked while the context is open."""
    if path.is_dir():
        yield read(path)
        return
    if not path.exists():
        raise ArtifactError(f"{path}: no such file or directory")
    with TemporaryDirectory(prefix="hft-artifact-") as unpacked:
        unpack(path, Path(unpacked))
        yield read(_root(path, Path(unpacked)))


def _root(path: Path, unpacked: Path) -> Path:
    """The directory of engine.json: the top of the tar, or its only directory."""
    entries = list(unpacked.iterdir())
    if (unpacked / "engine.json").is_file():
        return unpacked
    if len(entries) == 1 and (entries[0] / "engine.json").is_file():
        return entries[0]
    raise ArtifactError(f"{path}: no engine.json at the top level")


def read(directory: Path) -> Artifact:
    """Check manifest and files; ArtifactError names the first fault."""
    data = _manifest_bytes(directory)
    try:
        document = parse(data)
        manifest = Manifest.model_validate_json(data)
        digest = manifest_digest(document)
    except ValueError as error:
        raise ArtifactError(f"{directory}/engine.json: {fault(error, 'document')}") from error
    left = ARTIFACT_MAX
    for file in manifest.files:
        left -= len(_content(directory, file.path, file.sha256, left))
    interpreter = manifest.exec.interpreter
    if interpreter and shutil.which(interpreter[0]) is None:
        raise ArtifactError(f"{directory}: interpreter {interpreter[0]!r} is not installed on this machine")
    return Artifact(directory=directory.resolve(), manifest=manifest, digest=digest, document=data)


def _manifest_bytes(directory: Path) -> bytes:
    try:
        return _inside(directory, "engine.json", MANIFEST_MAX)
    except FileNotFoundError:
        raise ArtifactError(f"{directory}: no engine.json in it") from None
    except OSError as error:
        raise ArtifactError(f"{directory}/engine.json: {error.strerror or error}") from error


def _content(directory: Path, name: str, sha256: str, most: int = ARTIFACT_MAX) -> bytes:
    try:
        data = _inside(directory, name, most)
    except OSError as error:
        seen = f"{name} of engine.json is not a regular file in it"
        raise ArtifactError(f"{directory}: {seen} ({error.strerror or error})") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactError(f"{directory}: {name} does not have the SHA-256 listed in engine.json")
    return data


def _inside(directory: Path, name: str, most: int) -> bytes:
    """A regular file of at most MOST bytes, opened part by part below DIRECTORY, no link followed."""
    *folders, last = name.split("/")
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(
                folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
            )
            os.close(descriptor)
            descriptor = below
        found = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    with open(found, "rb") as stream:  # noqa: PTH123  # a descriptor, not a path
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError("not a regular file")
        data = stream.read(most + 1)
    if len(data) > most:
        raise ArtifactError(f"{directory}: larger than {ARTIFACT_MAX >> 20} MiB with {name}")
    return data
