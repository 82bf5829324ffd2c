"""A tar from somebody else, unpacked within bounds: of bytes that come out, of members, of headers.

A small compressed file may hold any amount (a sparse member, or a header, without being one), so the bound is
on what the decompressor gives, and nothing is asked of the archive that reads ahead of it. Links, devices and
names that leave the target are refused (tar(5); extractall's filter needs Python 3.11.4).
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import IO, Self

from engine.conformance.errors import ArtifactError

ARTIFACT_MAX = 128 << 20
MEMBERS_MAX = 8192
HEADER_MAX = 64 << 10
_CHUNK = 1 << 16
_HEADERS = frozenset(
    {
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    }
)


class _Member(tarfile.TarInfo):
    """A member whose extended header is read into memory only when it is small."""

    def _proc_member(self, archive: tarfile.TarFile) -> Self:
        if self.type in _HEADERS and self.size > HEADER_MAX:
            raise tarfile.TarError(f"a header of {self.size} bytes")
        found: Self = super()._proc_member(archive)  # type: ignore[misc]
        return found


class _Bounded:
    """A stream that gives at most ARTIFACT_MAX bytes and what a tar needs around them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.left = ARTIFACT_MAX + MEMBERS_MAX * 2 * tarfile.BLOCKSIZE

    def read(self, size: int) -> bytes:
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.TarError(f"more than {ARTIFACT_MAX >> 20} MiB come out of it")
        return data


def unpack(path: Path, target: Path) -> None:
    """Unpack the tar at PATH, compressed or not, into the empty directory TARGET; else ArtifactError."""
    try:
        if not path.is_file():
            raise OSError("not a file")
        with _decompressed(path) as stream:
            bounded: IO[bytes] = _Bounded(stream)  # type: ignore[assignment]
            with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Member) as packed:
                _members(path, packed, target)
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise ArtifactError(f"{path}: neither a directory nor a tar that can be unpacked: {why}") from error


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.open(path)
    if head == b"\xfd7zXZ\x00":
        return lzma.open(path)
    return path.open("rb")


def _members(path: Path, packed: tarfile.TarFile, target: Path) -> None:
    left = ARTIFACT_MAX
    for count, member in enumerate(packed, start=1):
        left -= member.size
        if count > MEMBERS_MAX or left < 0:
            raise ArtifactError(f"{path}: more than {MEMBERS_MAX} members or {ARTIFACT_MAX >> 20} MiB")
        _one(path, packed, member, target)


def _one(path: Path, packed: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    is_plain = member.isdir() or (member.isreg() and not member.issparse() and parts)
    if not is_plain or ".." in parts or member.name.startswith("/"):
        raise ArtifactError(f"{path}: {member.name!r} is neither a file nor a directory inside it")
    place = target.joinpath(*parts)
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    content = packed.extractfile(member)
    assert content is not None, "a regular file has content"
    with place.open("xb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)
