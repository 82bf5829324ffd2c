"""A release directory against its manifest: every listed file with its hash, and no other file.

The digest of a release is the SHA-256 of the canonical bytes of `engine.json`; since those list every file,
the digest covers them all. The manifest is read here without its schema: only what a ticket depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.canonical import digest, parse
from engine.ticket.errors import TicketError
from engine.ticket.process import file_sha256

MANIFEST = "engine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release whose files match its manifest."""

    digest: str
    program_sha256: str
    is_interpreted: bool


def read_release(directory: Path) -> Release:
    """Verify DIRECTORY; TicketError `release` says which file is missing, changed or not listed."""
    manifest = _manifest(directory)
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    for name, expected in listed.items():
        _check_file(directory, name, expected)
    unlisted = sorted(_files_in(directory) - set(listed) - {MANIFEST})
    if unlisted:
        raise TicketError("release", f"{directory}: {unlisted[0]} is not in the manifest")
    program = manifest["exec"]["program"]
    if program not in listed:
        raise TicketError("release", f"{directory}: the program {program} is not in the manifest's files")
    return Release(
        digest=digest(manifest),
        program_sha256=listed[program],
        is_interpreted=bool(manifest["exec"].get("interpreter")),
    )


def _manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    try:
        manifest: Any = parse(path.read_bytes())
        entries = [(str(entry["path"]), str(entry["sha256"])) for entry in manifest["files"]]
        program = manifest["exec"]["program"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TicketError("release", f"{path} is not a manifest: {error}") from error
    if not entries or not isinstance(program, str):
        raise TicketError("release", f"{path} lists no files or no program")
    return dict(manifest)


def _check_file(directory: Path, name: str, expected: str) -> None:
    path = directory / name
    if ".." in Path(name).parts or Path(name).is_absolute() or path.is_symlink():
        raise TicketError("release", f"{directory}: {name} points outside the release")
    try:
        found = file_sha256(path)
    except OSError as error:
        raise TicketError("release", f"{path}: {error.strerror}") from error
    if found != expected:
        raise TicketError("release", f"{path} is not the file that its manifest lists")


def _files_in(directory: Path) -> set[str]:
    return {
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
