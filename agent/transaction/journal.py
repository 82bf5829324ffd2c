"""The transaction journal: the document, every before-image, and how far it got.

    /var/lib/hft/journal/TXN/document.json   what was requested
                             before.json     what each step found, and the boot id
                             before/INDEX    old contents of files
                             progress        one JSON line per event, in a preallocated file

Everything but `progress` is durable before the first change and never changes again. `progress` is written
over preallocated zeros, so a full disk cannot stop a record. The last complete line gives the phase:

    (none), prepared, step    open: whoever finds it undoes it
    undoing                   being undone: whoever finds it continues
    done                      committed immediately
    staged                    waiting for its trial boot; agent/boot/boot.py and the health service decide
    committed                 staged, and its trial succeeded
    reverted                  undone; the host is as it was before
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent import durable, record, state
from agent.document import Document, FileStep
from agent.host import HostRoot
from agent.parsing import TXN, encode, parse
from agent.paths import JOURNAL_DIR, STATE_FILE
from agent.transaction.step_handler import Before

KEPT_PHASES = ("done", "committed", "staged")
CLOSED = ("done", "committed", "reverted")
RECORD_BYTES = 256
KEEP = 8
TRASH = ".trash-"


@dataclass(kw_only=True)
class TransactionJournal:
    """One transaction on disk."""

    host: HostRoot
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
        """The last recorded phase."""
        return str(self.events[-1]["phase"]) if self.events else ""

    @property
    def done_steps(self) -> frozenset[int]:
        """The steps that have begun."""
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
def open_progress(host: HostRoot, path: str) -> Any:
    """A descriptor of the progress file."""
    fd = os.open(host.path(f"{path}/progress"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def create(
    host: HostRoot, document: Document, befores: Sequence[Before], at: str, previous: dict[str, Any] | None
) -> TransactionJournal:
    """Write the journal durably. Its directory gets its final name only when it is complete."""
    journal = TransactionJournal(
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


def encode_befores(journal: TransactionJournal) -> bytes:
    """before.json: the before-images except for the contents of files."""
    steps = [
        {"wanted": before.wanted, "image": dict(before.image), "content": before.content is not None}
        for before in journal.befores
    ]
    head = {"schema": 1, "boot_id": journal.boot_id, "at": journal.at, "previous": journal.previous}
    return json.dumps(head | {"steps": steps}).encode()


def load(host: HostRoot, txn: str) -> TransactionJournal:
    """A journal from disk; it was renamed into place when complete, so nothing is missing."""
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
    journal = TransactionJournal(
        host=host,
        document=document,
        befores=befores,
        boot_id=head["boot_id"],
        at=head["at"],
        previous=head["previous"],
    )
    journal.events, journal.offset = read_progress(host, path)
    return journal


def read_bytes(host: HostRoot, path: str) -> bytes:
    """A journal file."""
    with host.open(path) as stream:
        return stream.read()


def read_progress(host: HostRoot, path: str) -> tuple[list[dict[str, Any]], int]:
    """The complete lines of the progress file and the next offset; a torn line counts as never written."""
    events, offset = [], 0
    for line in read_bytes(host, f"{path}/progress").split(b"\n"):
        try:
            events.append(json.loads(line))
        except ValueError:
            break
        offset += len(line) + 1
    return events, offset


def phase_of(host: HostRoot, txn: str) -> str:
    """Only the phase, without reading before-images."""
    try:
        events, _ = read_progress(host, f"{JOURNAL_DIR}/{txn}")
    except FileNotFoundError:
        return "missing"
    return str(events[-1]["phase"]) if events else ""


def last_event_at(host: HostRoot, txn: str) -> float:
    """When the journal was last written; transaction ids come from clocks that may disagree."""
    try:
        return os.stat(host.path(f"{JOURNAL_DIR}/{txn}/progress")).st_mtime  # noqa: PTH116
    except FileNotFoundError:
        return 0.0


def committed_by(host: HostRoot, journal: TransactionJournal, at: str) -> dict[str, Any] | None:
    """What is committed once this transaction is: itself, or what preceded the one it reverts."""
    document = journal.document
    if document.reverts is None:
        return {"plan_hash": document.plan_hash, "txn": document.txn, "at": at}
    return load(host, document.reverts).previous if document.reverts in transactions(host) else None


def transactions(host: HostRoot) -> tuple[str, ...]:
    """The journals on the host, oldest first; an incomplete one does not count."""
    return tuple(name for name in host.listdir(JOURNAL_DIR) if TXN.match(name))


def last_name(host: HostRoot) -> str:
    """The greatest name of a transaction that was begun here, "" when there was none."""
    return record.last_name(transactions(host), state.read(host))


def forget_secrets(journal: TransactionJournal) -> None:
    """Take the contents of secret files out of a journal that is closed: what they were and what they became.

    Nothing will undo a closed transaction; what takes a committed one back (agent/transaction/inverse.py)
    leaves such a file as it is. In an order that may be interrupted: before-images that nothing names are
    harmless, and the next run calls this again.
    """
    if journal.phase not in CLOSED:
        return
    steps, befores, found = [*journal.document.steps], [*journal.befores], []
    for at, step in enumerate(steps):
        if isinstance(step, FileStep) and step.secret and (step.content, befores[at].content) != (None, None):
            steps[at], befores[at] = replace(step, content=None), replace(befores[at], content=None)
            found.append(at)
    if not found:
        return
    journal.document, journal.befores = replace(journal.document, steps=tuple(steps)), befores
    durable.write_file(journal.host, f"{journal.path}/before.json", encode_befores(journal), 0o600)
    durable.write_file(journal.host, f"{journal.path}/document.json", encode(journal.document), 0o600)
    for at in found:
        durable.remove_file(journal.host, f"{journal.path}/before/{at}")


def sweep(host: HostRoot) -> None:
    """Remove incomplete and half-removed journals, and a half-written state: nothing refers to them."""
    with contextlib.suppress(OSError):
        durable.remove_aside(host, STATE_FILE)
    for name in host.listdir(JOURNAL_DIR):
        if name.startswith((TRASH, ".new-")):
            shutil.rmtree(host.path(f"{JOURNAL_DIR}/{name}"), ignore_errors=True)


def prune(host: HostRoot, keep: str | None) -> None:
    """Keep the last few journals, every unfinished one, KEEP and the committed one: `revert` reads that."""
    committed = state.read(host)["committed"]
    kept = {keep, committed.get("txn") if isinstance(committed, dict) else None}
    finished = [txn for txn in transactions(host) if phase_of(host, txn) in {"done", "committed", "reverted"}]
    with contextlib.suppress(OSError), durable.open_dir(host, JOURNAL_DIR) as directory:
        for txn in finished[:-KEEP]:
            if txn not in kept:
                os.rename(txn, TRASH + txn, src_dir_fd=directory, dst_dir_fd=directory)
    sweep(host)
