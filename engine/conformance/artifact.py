"""An artifact: a directory, or a tar of one, with `engine.json` and the files that it lists."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.conformance.errors import ArtifactError
from engine.contract.faults import fault
from engine.contract.manifest import Manifest, manifest_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A checked artifact on disk."""

    directory: Path
    manifest: Manifest
    digest: str

    @property
    def argv(self) -> list[str]:
        """How its process starts, without the arguments of the contract."""
        exec_ = self.manifest.exec
        return [*exec_.interpreter, str(self.directory / exec_.program), *exec_.arguments]


@contextmanager
def opened(path: Path) -> Iterator[Artifact]:
    """The artifact in PATH; a tar is unpacked for as long as it is open."""
    if path.is_dir():
        yield read(path)
        return
    if not path.exists():
        raise ArtifactError(f"{path}: no such file or directory")
    with TemporaryDirectory(prefix="hft-artifact-") as unpacked:
        _unpack(path, Path(unpacked))
        yield read(_root(path, Path(unpacked)))


def _unpack(path: Path, target: Path) -> None:
    try:
        with tarfile.open(path) as packed:
            for member in packed:
                _unpack_member(path, packed, member, target)
    except (tarfile.TarError, OSError, EOFError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise ArtifactError(f"{path}: not a directory and not a tar that can be unpacked: {why}") from error


def _unpack_member(path: Path, packed: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """One file or directory; links and ways out are refused (extractall's filter came with 3.11.4)."""
    place = target / member.name
    stays = place.resolve().is_relative_to(target.resolve())
    if not stays or not (member.isreg() or member.isdir()):
        raise ArtifactError(f"{path}: {member.name} is neither a file nor a directory inside of it")
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    content = packed.extractfile(member)
    assert content is not None
    with place.open("wb") as file:
        shutil.copyfileobj(content, file)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)


def _root(path: Path, unpacked: Path) -> Path:
    """Where engine.json lies: at the top of the tar, or in its only directory."""
    entries = list(unpacked.iterdir())
    if (unpacked / "engine.json").is_file():
        return unpacked
    if len(entries) == 1 and (entries[0] / "engine.json").is_file():
        return entries[0]
    raise ArtifactError(f"{path}: no engine.json at its top")


def read(directory: Path) -> Artifact:
    """Check manifest and files; ArtifactError names the first thing that is wrong."""
    document = _document(directory / "engine.json")
    try:
        manifest = Manifest.model_validate_json(json.dumps(document))
        digest = manifest_digest(document)
    except ValueError as error:
        raise ArtifactError(f"{directory}/engine.json: {fault(error, 'document')}") from error
    for file in manifest.files:
        _check_file(directory, file.path, file.sha256)
    interpreter = manifest.exec.interpreter
    if interpreter and shutil.which(interpreter[0]) is None:
        raise ArtifactError(f"{directory}: interpreter {interpreter[0]!r} is not installed here")
    return Artifact(directory=directory.resolve(), manifest=manifest, digest=digest)


def _document(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path.parent}: no engine.json in it") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: {error}") from error


def _check_file(directory: Path, name: str, sha256: str) -> None:
    path = directory / name
    if not path.is_file() or path.is_symlink():
        raise ArtifactError(f"{directory}: {name} of engine.json is not a regular file in it")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ArtifactError(f"{directory}: {name} does not have the SHA-256 that engine.json gives it")
