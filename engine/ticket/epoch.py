"""Epochs: the source of the next one, and the signed record of the current one.

An epoch is a fencing token. Whoever wants to trade takes the next one from an `EpochSource`, by
compare-and-swap: "the epoch was N, make it N+1 with me as holder". Of two that both saw N only one can win.
The file authority is linearizable on one host: flock(2) orders all calls, and an answer is given only after
the record is on disk (temporary file, fsync, rename, fsync of the directory). It must not share a file system
with a journal, whose fsync would delay a takeover. A source on several hosts (etcd) fits the same protocol.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.contract.canonical import canonical, parse
from engine.ticket import signing
from engine.ticket.errors import TicketError

EPOCH_MAX = 36**5 - 1  # five base-36 characters of a ClOrdID


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What the holder may run: three digests, `sha256:HEX`."""

    artifact: str
    config: str
    limits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One epoch: its number, who holds it (HOST/SLOT), what that holder may run."""

    epoch: int
    holder: str
    approved: tuple[Approval, ...]
    signature: str = ""

    def body(self) -> dict[str, Any]:
        """What is signed."""
        approved = [asdict(entry) for entry in self.approved]
        return {"epoch": self.epoch, "holder": self.holder, "approved": approved}

    def message(self) -> dict[str, Any]:
        """What is sent to gateways and stored."""
        return {**self.body(), "signature": self.signature}


class EpochSource(Protocol):
    """A linearizable counter with a holder, whatever its implementation."""

    def read(self) -> Fence | None:
        """The current epoch; None before the first."""

    def advance(self, seen: int, holder: str, approved: tuple[Approval, ...]) -> Fence:
        """Make epoch SEEN + 1; TicketError `epoch_moved` when SEEN is no longer the current one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEpochSource:
    """The file authority: one JSON file, changed under a lock, signed with the authority's key."""

    path: Path
    key: Path

    def read(self) -> Fence | None:
        """The current epoch, as of some moment during this call."""
        with self._locked(fcntl.LOCK_SH):
            return self._load()

    def advance(self, seen: int, holder: str, approved: tuple[Approval, ...]) -> Fence:
        """The next epoch for HOLDER, durable when this returns."""
        with self._locked(fcntl.LOCK_EX):
            current = self._load()
            now = current.epoch if current else 0
            if now != seen:
                raise TicketError(
                    "epoch_moved", f"the epoch is {now}, not {seen}; read it again, then decide"
                )
            if now >= EPOCH_MAX:
                raise TicketError("epoch_spent", f"epoch {now} is the last one a ClOrdID can hold")
            unsigned = Fence(epoch=now + 1, holder=holder, approved=approved)
            signature = signing.sign(canonical(unsigned.body()), self.key, signing.FENCE_NAMESPACE)
            fence = Fence(epoch=now + 1, holder=holder, approved=approved, signature=signature)
            replace_durably(self.path, canonical(fence.message()))
            return fence

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        lock = os.open(
            self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)

    def _load(self) -> Fence | None:
        try:
            return fence_from(parse(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise TicketError("epoch_file", f"{self.path} is not an epoch record: {error}") from error


def fence_from(document: object) -> Fence:
    """The record in a JSON document; ValueError names what is wrong."""
    match document:
        case {
            "epoch": int(epoch),
            "holder": str(holder),
            "approved": list(approved),
            "signature": str(signature),
        } if epoch > 0:
            entries = tuple(Approval(**entry) for entry in approved if isinstance(entry, dict))
            return Fence(epoch=epoch, holder=holder, approved=entries, signature=signature)
        case _:
            raise ValueError("it needs epoch, holder, approved and signature")


def replace_durably(path: Path, content: bytes) -> None:
    """Old or new after a power cut, never in between; certainly new once this has returned."""
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    aside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
