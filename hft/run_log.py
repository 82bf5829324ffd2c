"""The run record: who did what to which hosts and why, one line for each thing that happened.

A run has a line when it opens, one for each of its hosts, and one when it closes. The first is on disk before
the run touches anything, so a run that died is visible as a line without its second half; those of the hosts
are on disk as soon as their end is final, whatever their neighbours do, and before anybody is told how they
ended. A host that was changed and has steps before it has a line for that, too. A signal waits while they are
written.

Lines are JSON, appended under a lock, fsynced, and chained: each carries the hash of the one before, so a
changed or removed line in the middle shows. Whoever can write the file can write
a whole new chain, or cut its tail off: so each account remembers, where no colleague can write, the last line
that it wrote (hft/heads.py), and a record without that line is named. What was forged before an account wrote
for the first time, and after its last line, does not show: keep a copy elsewhere if that matters.

A power cut may leave half a line. It is never overwritten: the next writer ends it and goes on after the last
good line, and the reader names it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from hft.errors import Exit, HftError, exit_code_of
from hft.heads import Head, remember, remembered
from hft.operators import operator
from hft.run_lines import GENESIS, canonical, end_of, hash_of, read_chain
from inventory.errors import StateError
from inventory.state_dir import open_shared, read_all, read_plain, state_root
from transport.show import tell
from transport.signals import signals_held

__all__ = [
    "GENESIS",
    "History",
    "Run",
    "append",
    "now",
    "operator",
    "read",
    "read_bytes",
    "read_to_look",
    "recorded",
    "state_root",
]

RECORD_MAX = 64 << 20
LOCK_WAIT_S = 10.0  # a line takes milliseconds
# Results after which a host has the plan that it had before (deploys/rollout/outcome.py).
LEFT_AS_IT_WAS = ("no_change", "rolled_back", "refused", "unreachable", "busy", "not_run")


def records_path(site: str) -> Path:
    """The record file of a site."""
    return state_root() / "runs" / f"{site}.jsonl"


def now() -> str:
    """The time as written in records and locks: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(slots=True, kw_only=True)
class Run:
    """An open run: what is known so far, written when it closes."""

    site: str
    run: str
    verb: str
    exit_code: Exit = Exit.OK
    message: str = ""
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_look: bool = False  # it changes no host, so it goes on without a record that cannot be written
    goes_without: bool = False

    def host(self, name: str, **facts: Any) -> None:
        """Add facts about one host, such as `result="committed"`, `plan_hash=...` or `verdict="ok"`."""
        self.hosts.setdefault(name, {}).update(facts)

    def ended(self, name: str, **facts: Any) -> None:
        """The same for a host whose turn is over, at once on disk: it is known even if this run dies next."""
        self.host(name, **facts)
        event = {"event": "host", "run": self.run, "verb": self.verb, "host": name, "facts": facts}
        with signals_held():
            self.write(event)

    def stood(self, name: str, step: str, **facts: Any) -> None:
        """How a host stands behind a step of its turn, at once on disk: its end may never be told."""
        event = {"event": "step", "run": self.run, "verb": self.verb, "host": name, "step": step}
        with signals_held():
            self.write({**event, "facts": facts})

    def write(self, event: Mapping[str, Any]) -> None:
        """Add one line; a look that cannot says so once and goes on, everybody else gets the HftError."""
        if self.goes_without:
            return
        try:
            append(self.site, event)
        except (HftError, StateError) as error:
            if not self.is_look:
                raise
            self.goes_without = True
            tell(f"hft: {error}; this run goes on without its record", err=True)


@contextmanager
def recorded(  # noqa: PLR0913  # each by name
    site: str,
    verb: str,
    *,
    hosts: Sequence[str],
    reason: str = "",
    plan_hashes: Mapping[str, str] | None = None,
    is_look: bool = False,
) -> Iterator[Run]:
    """A run in the record: opened before the body, closed after it with its outcome and exit code.

    The body sets `run.exit_code` when it ends without an exception but not well, and `run.host(...)` as it
    learns. A run that IS_LOOK, which changes no host, goes on when the record cannot be written.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    run = Run(site=site, run=name, verb=verb, is_look=is_look)
    opened = {"event": "opened", "run": run.run, "verb": verb, "by": operator(), "pid": os.getpid()}
    opened |= {"reason": reason, "hosts": list(hosts), "plan_hashes": dict(plan_hashes or {})}
    is_open = False
    try:
        with signals_held():
            run.write(opened)
            is_open = True
        yield run
    except BaseException as error:
        run.exit_code = _code_of(error)
        run.message = run.message or " ".join(str(error).split())[:500]
        raise
    finally:
        if is_open:
            with signals_held():
                _close(run)


def _code_of(error: BaseException) -> Exit:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Exit.INTERRUPTED
    return Exit.BAD_INPUT if isinstance(error, click.ClickException) else exit_code_of(error) or Exit.INTERNAL


def _close(run: Run) -> None:
    closed = {"event": "closed", "run": run.run, "verb": run.verb, "outcome": run.exit_code.name.lower()}
    run.write(closed | {"exit_code": int(run.exit_code), "message": run.message, "hosts": run.hosts})


def append(site: str, event: Mapping[str, Any], path: Path | None = None) -> str:
    """Add one line durably and return its hash; raises HftError when it cannot be written.

    PATH: another record with such lines than the site's own.
    """
    path = path or records_path(site)
    try:
        descriptor = open_shared(path, os.O_RDWR | os.O_APPEND)
        try:
            _lock(descriptor)
            line = _append_locked(descriptor, path, site, event)
        finally:
            os.close(descriptor)
        remember(path, line)
        return str(line["hash"])
    except OSError as error:
        raise HftError(
            Exit.BAD_INPUT,
            f"{path}: cannot write the run record: {error.strerror}; hint: free space, or set HFT_STATE",
        ) from error


def _lock(descriptor: int) -> None:
    """Take the record's lock; OSError when somebody holds it for longer than any of us needs it."""
    end_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end_s:
                held = f"another process has held it for {LOCK_WAIT_S:g} s"
                raise BlockingIOError(errno.EWOULDBLOCK, held) from None
            time.sleep(0.02)


def _append_locked(descriptor: int, path: Path, site: str, event: Mapping[str, Any]) -> dict[str, Any]:
    last_hash, torn_tail = end_of(read_all(descriptor, path, RECORD_MAX))
    size = os.fstat(descriptor).st_size
    line = {"schema": 1, "at": now(), "site": site, **event, "prev": last_hash}
    line["hash"] = hash_of(line)
    # One write: another reader sees the whole line or none of it; a torn tail of a power cut is ended first.
    data = (b"\n" if torn_tail else b"") + canonical(line) + b"\n"
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)  # a full disk: take back our own half line, nobody else's
        raise
    if size == 0:
        _sync_directory(path.parent)
    return line


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, kw_only=True)
class History:
    """A record as read: its good lines, what is wrong with it, and where the chain stands."""

    lines: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    last_hash: str

    def open_runs(self) -> tuple[dict[str, Any], ...]:
        """Runs that opened, never closed, and were not followed by one of their kind that did."""
        closed: set[str] = set()
        verbs_closed: set[str] = set()
        found: list[dict[str, Any]] = []
        for line in reversed(self.lines):
            if line.get("event") == "closed":
                closed.add(line["run"])
                verbs_closed.add(line["verb"])
            elif (
                line.get("event") == "opened"
                and line["run"] not in closed
                and line["verb"] not in verbs_closed
            ):
                found.append(line)
        return tuple(reversed(found))

    def dead_runs(self) -> tuple[dict[str, Any], ...]:
        """The open runs whose process is gone; one on another controller counts as alive."""
        return tuple(line for line in self.open_runs() if not _is_alive(line))

    def ends(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Verb, host and facts of each end, the newest first, with `at` and `run`.

        A run that closed names all its hosts there. Of one that died, how each host was last seen to stand.
        """
        told: set[tuple[str, str]] = set()
        for line in reversed(self.lines):
            if line.get("event") in ("host", "step"):
                found = {line["host"]: line["facts"]}
            elif line.get("event") == "closed":
                found = line["hosts"]
            else:
                continue
            for name, facts in found.items():
                if (line["run"], name) not in told:
                    told.add((line["run"], name))
                    yield line["verb"], name, {**facts, "at": line["at"], "run": line["run"]}

    def last_of_host(self, name: str, verb: str) -> dict[str, Any] | None:
        """What the newest run of VERB that has facts about a host says of it."""
        return self._newest.get((verb, name))

    def applied_plan(self, name: str) -> str | None:
        """The plan hash of the last committed apply of a host from here, unless something came in between.

        A revert forgets it, and so does an end of which nobody knows what it left.
        """
        return self._applied.get(name)

    @cached_property
    def _newest(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """The newest facts by verb and host, from one pass: a look at a fleet asks for each of them."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for verb, host, facts in self.ends():
            found.setdefault((verb, host), facts)
        return found

    @cached_property
    def _applied(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for verb, host, facts in self.ends():
            result = facts.get("result")
            if host in found or verb not in ("apply", "revert") or result in LEFT_AS_IT_WAS:
                continue
            plan = facts.get("plan_hash")
            is_there = verb == "apply" and result in ("committed", "applied") and isinstance(plan, str)
            found[host] = str(plan) if is_there else None
        return found


def _is_alive(opened: Mapping[str, Any]) -> bool:
    here = str(opened.get("by", "")).rpartition("@")[2] == socket.gethostname()
    return not here or Path("/proc", str(opened.get("pid"))).exists()


def read(site: str, path: Path | None = None) -> History:
    """The record of a site, or the one at PATH; an empty one when nothing ran yet."""
    path = path or records_path(site)
    try:
        data = read_plain(path, RECORD_MAX)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot read it: {error.strerror}") from error
    return read_bytes(data, remembered(path))


def read_to_look(site: str) -> History:
    """The same for a look, which nobody blinds by what he lays there: an empty one whose problem says why."""
    try:
        return read(site)
    except (HftError, StateError) as error:
        said = f"not read, so nothing of it is known here: {error}"
        return History(lines=(), problems=(said,), last_hash=GENESIS)


def read_bytes(data: bytes, head: Head | None = None) -> History:
    """The record in DATA, held against the line that this account remembers to have written there."""
    chain = read_chain(data)
    problems = chain.problems
    if head is not None and head.hash not in chain.hashes:
        problems += (
            f"the line that this account wrote at {head.at} is gone: the record was cut or rewritten",
        )
    return History(lines=chain.lines, problems=problems, last_hash=chain.last_hash)
