"""The journal of one transaction: its document, every before-image, and how far it came.

    /var/lib/hft/journal/TXN/document.json   what was asked for
                             before.json     what each step found, which boot this was
                             before/INDEX    old contents of files
                             progress        one JSON line per event, in a file that already has its full size

Everything but `progress` is durable before the first change and never changes again. `progress` is written
over zeros laid down beforehand, so a full disk cannot stop a record. The last whole line says the phase:

    (none), prepared, step    open: whoever finds it undoes it
    undoing                   being undone: whoever finds it goes on
    done                      committed at once
    staged                    waits for its trial boot; agent/boot.py and health decide
    committed                 staged, and its trial held
    reverted                  undone; the host is as before
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent import durable
from agent.actors import Before
from agent.document import Document
from agent.host import JOURNAL_DIR, STATE_FILE, Host
from agent.parsing import TXN, encode, parse

KEPT_PHASES = ("done", "committed", "staged")
RECORD_BYTES = 256
KEEP = 8
TRASH = ".trash-"


@dataclass(kw_only=True)
class Journal:
    """One transaction on disk."""

    host: Host
    document: Document
    befores: Sequence[Before]
    boot_id: str
    at: str
    previous: dict[str, Any] | None
    events: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0

    @property
    def path(self) -> str:
        """Its directory on the host."""
        return f"{JOURNAL_DIR}/{self.document.txn}"

    @property
    def phase(self) -> str:
        """The last thing that is known to have happened."""
        return str(self.events[-1]["phase"]) if self.events else ""

    @property
    def done_steps(self) -> frozenset[int]:
        """The steps that were begun."""
        return frozenset(event["index"] for event in self.events if event["phase"] == "step")

    def record(self, phase: str, *, index: int = -1, sync: bool = True) -> None:
        """Append an event in place; durable when `sync`."""
        event = {"phase": phase, "index": index}
        line = json.dumps(event).encode() + b"\n"
        with open_progress(self.host, self.path) as fd:
            os.pwrite(fd, line, self.offset)
            self.events.append(event)
            self.offset += len(line)
            if sync:
                os.fsync(fd)


@contextlib.contextmanager
def open_progress(host: Host, path: str) -> Any:
    """A descriptor of the progress file."""
    fd = os.open(host.path(f"{path}/progress"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def create(
    host: Host, document: Document, befores: Sequence[Before], at: str, previous: dict[str, Any] | None
) -> Journal:
    """Lay the journal down durably. Its directory appears under its name only when it is whole."""
    journal = Journal(
        host=host, document=document, befores=befores, boot_id=host.boot_id(), at=at, previous=previous
    )
    building = f"{JOURNAL_DIR}/.new-{document.txn}"
    durable.make_dirs(host, f"{building}/before", 0o700)
    with durable.open_dir(host, f"{building}/before") as directory:
        for index, before in enumerate(befores):
            if before.content is not None:
                durable.write_new(directory, str(index), before.content, 0o600)
        os.fsync(directory)
    with durable.open_dir(host, building) as directory:
        durable.write_new(directory, "document.json", encode(document), 0o600)
        durable.write_new(directory, "before.json", encode_befores(journal), 0o600)
        durable.write_new(directory, "progress", bytes(RECORD_BYTES * (len(befores) + 16)), 0o600)
        os.fsync(directory)
    with durable.open_dir(host, JOURNAL_DIR) as directory:
        os.rename(f".new-{document.txn}", document.txn, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    return journal


def encode_befores(journal: Journal) -> bytes:
    """before.json: everything of the before-images but the contents of files."""
    steps = [
        {"wanted": before.wanted, "image": dict(before.image), "content": before.content is not None}
        for before in journal.befores
    ]
    head = {"schema": 1, "boot_id": journal.boot_id, "at": journal.at, "previous": journal.previous}
    return json.dumps(head | {"steps": steps}).encode()


def load(host: Host, txn: str) -> Journal:
    """A journal from disk; it was renamed into place whole, so all of it is there."""
    path = f"{JOURNAL_DIR}/{txn}"
    document = parse(read_bytes(host, f"{path}/document.json"), inverse=True)
    head = json.loads(read_bytes(host, f"{path}/before.json"))
    befores = [
        Before(
            wanted=raw["wanted"],
            image=raw["image"],
            content=read_bytes(host, f"{path}/before/{index}") if raw["content"] else None,
        )
        for index, raw in enumerate(head["steps"])
    ]
    journal = Journal(
        host=host,
        document=document,
        befores=befores,
        boot_id=head["boot_id"],
        at=head["at"],
        previous=head["previous"],
    )
    journal.events, journal.offset = read_progress(host, path)
    return journal


def read_bytes(host: Host, path: str) -> bytes:
    """A journal file."""
    with open(host.path(path), "rb") as stream:  # noqa: PTH123
        return stream.read()


def read_progress(host: Host, path: str) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of the progress file and where the next one goes; a torn line never happened."""
    events, offset = [], 0
    for line in read_bytes(host, f"{path}/progress").split(b"\n"):
        try:
            events.append(json.loads(line))
        except ValueError:
            break
        offset += len(line) + 1
    return events, offset


def phase_of(host: Host, txn: str) -> str:
    """The phase alone, without reading before-images."""
    try:
        events, _ = read_progress(host, f"{JOURNAL_DIR}/{txn}")
    except FileNotFoundError:
        return "missing"
    return str(events[-1]["phase"]) if events else ""


def last_event_at(host: Host, txn: str) -> float:
    """When the journal was last written to; numbers of transactions come from clocks that may disagree."""
    try:
        return os.stat(host.path(f"{JOURNAL_DIR}/{txn}/progress")).st_mtime  # noqa: PTH116
    except FileNotFoundError:
        return 0.0


def committed_by(host: Host, journal: Journal, at: str) -> dict[str, Any] | None:
    """What is committed once this transaction holds: itself, or what was before the one it takes back."""
    document = journal.document
    if document.reverts is None:
        return {"plan_hash": document.plan_hash, "txn": document.txn, "at": at}
    return load(host, document.reverts).previous if document.reverts in transactions(host) else None


def transactions(host: Host) -> tuple[str, ...]:
    """The journals on the host, oldest first; a half-built one is not a journal."""
    return tuple(name for name in host.listdir(JOURNAL_DIR) if TXN.match(name))


def sweep(host: Host) -> None:
    """Remove half-built and half-removed journals, and a state half written: nothing refers to them."""
    with contextlib.suppress(OSError):
        durable.remove_aside(host, STATE_FILE)
    for name in host.listdir(JOURNAL_DIR):
        if name.startswith((TRASH, ".new-")):
            shutil.rmtree(host.path(f"{JOURNAL_DIR}/{name}"), ignore_errors=True)


def prune(host: Host, keep: str | None) -> None:
    """Keep the last few journals, every one that is not finished, and the committed one."""
    finished = [txn for txn in transactions(host) if phase_of(host, txn) in {"done", "committed", "reverted"}]
    with contextlib.suppress(OSError), durable.open_dir(host, JOURNAL_DIR) as directory:
        for txn in finished[:-KEEP]:
            if txn != keep:
                os.rename(txn, TRASH + txn, src_dir_fd=directory, dst_dir_fd=directory)
    sweep(host)
