"""The release store of a host: content-addressed, read-only, every release complete or absent.

A release is unpacked under a temporary name that begins with a dot, every file synced, verified against its
own manifest and against the requested digest, and then renamed. Interrupted anywhere, the store holds what it
held before. A damaged release is moved aside, never repaired in place: a process may be running from it.
Releases are never removed here; the previous one is the way back.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from engine.ticket.errors import TicketError
from engine.ticket.release import Release, read_release

SENT = "engine.json"


class StoreError(Exception):
    """A release could not be stored; the store is unchanged."""


def standing(directory: Path, digest: str) -> str | None:
    """Why DIRECTORY is not the release DIGEST, judged by hashes; None when it is."""
    if not directory.is_dir():
        return "absent"
    try:
        found: Release = read_release(directory)
    except TicketError as error:
        return str(error)
    return None if found.digest == digest else f"{directory} holds {found.digest}"


def lay_down(store: Path, digest: str, packed: IO[bytes]) -> bool:
    """Unpack the release DIGEST from a tar into STORE; returns whether that was necessary."""
    place = store / digest.removeprefix("sha256:")
    why = standing(place, digest)
    if why is None:
        return False
    make_durably(store)
    aside = store / f".{place.name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    unpack(packed, aside)
    wrong = standing(aside, digest)
    if wrong is not None:
        shutil.rmtree(aside)
        raise StoreError(f"what arrived is not the release {digest}: {wrong}")
    seal(aside)
    if place.exists():
        place.rename(store / f".{place.name}.damaged-{os.getpid()}")
    aside.rename(place)
    sync(store)
    return True


def unpack(packed: IO[bytes], target: Path) -> None:
    """Plain files only, none outside TARGET; each synced."""
    try:
        with tarfile.open(fileobj=packed, mode="r|") as archive:
            for member in archive:
                place = target / member.name
                if not member.isreg() or not place.resolve().is_relative_to(target.resolve()):
                    raise StoreError(f"the release holds {member.name}, which is not a plain file in it")
                place.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None, "a regular file has content"
                with place.open("xb") as file:
                    shutil.copyfileobj(content, file)
                    file.flush()
                    os.fchmod(file.fileno(), 0o555 if member.mode & 0o100 else 0o444)
                    os.fsync(file.fileno())
    except (tarfile.TarError, EOFError) as error:
        raise StoreError(f"the release arrived incomplete: {error}") from error


def seal(directory: Path) -> None:
    """Make it read-only and durable, from the leaves up."""
    folders = [directory, *(path for path in directory.rglob("*") if path.is_dir())]
    for folder in sorted(folders, reverse=True):
        folder.chmod(0o555)
        sync(folder)


def point(link: Path, target: str) -> bool:
    """Point LINK to TARGET with one rename; returns whether it changed."""
    if link.is_symlink() and str(link.readlink()) == target:
        return False
    make_durably(link.parent)
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.rename(link)
    sync(link.parent)
    return True


def make_durably(directory: Path) -> None:
    """The directory and those above it, each synced into its parent."""
    missing: Iterable[Path] = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(list(missing)):
        path.mkdir(mode=0o755)
        sync(path.parent)


def sync(directory: Path) -> None:
    """fsync(2) of a directory: makes its entries durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
