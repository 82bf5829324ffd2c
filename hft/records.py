"""The run record: who did what to which hosts and why, one line when a run opens and one when it closes.

The line that opens a run is on disk before the run touches anything, so a run that died is visible as a line
without its second half. Lines are JSON, appended under a lock, fsynced, and chained: each carries the hash of
the one before, so a changed or removed line in the middle shows. A chain cannot show that its tail was cut
off: keep a copy elsewhere if that matters.

A power cut may leave half a line. It is never overwritten: the next writer ends it and goes on after the last
good line, and the reader names it.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hft.errors import Exit, HftError, exit_code_of

GENESIS = "0" * 64


def state_root() -> Path:
    """Where records and locks live: $HFT_STATE, else ~/.local/state/hft."""
    return Path(os.environ.get("HFT_STATE") or "~/.local/state/hft").expanduser()


def records_path(site: str) -> Path:
    """The record file of a site."""
    return state_root() / "runs" / f"{site}.jsonl"


def operator() -> str:
    """`user@host` of the person at the keyboard, also behind sudo."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


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

    def host(self, name: str, **facts: Any) -> None:
        """Add facts about one host, such as `result="committed"`, `plan_hash=...` or `verdict="ok"`."""
        self.hosts.setdefault(name, {}).update(facts)


@contextmanager
def recorded(
    site: str,
    verb: str,
    *,
    hosts: Sequence[str],
    reason: str = "",
    plan_hashes: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """A run in the record: opened before the body, closed after it with its outcome and exit code.

    The body sets `run.exit_code` when it ends without an exception but not well, and `run.host(...)` as it
    learns.
    """
    run = Run(site=site, run=f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}", verb=verb)
    opened = {"event": "opened", "run": run.run, "verb": verb, "by": operator(), "pid": os.getpid()}
    append(site, opened | {"reason": reason, "hosts": list(hosts), "plan_hashes": dict(plan_hashes or {})})
    try:
        yield run
    except BaseException as error:
        run.exit_code = _code_of(error)
        run.message = run.message or " ".join(str(error).split())[:500]
        raise
    finally:
        _close(run)


def _code_of(error: BaseException) -> Exit:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Exit.INTERRUPTED
    return Exit.BAD_INPUT if isinstance(error, click.ClickException) else exit_code_of(error) or Exit.INTERNAL


def _close(run: Run) -> None:
    closed = {"event": "closed", "run": run.run, "verb": run.verb, "outcome": run.exit_code.name.lower()}
    append(run.site, closed | {"exit_code": int(run.exit_code), "message": run.message, "hosts": run.hosts})


def append(site: str, event: Mapping[str, Any]) -> str:
    """Add one line durably and return its hash; raises HftError when it cannot be written."""
    path = records_path(site)
    try:
        descriptor = open_shared(path, os.O_RDWR | os.O_APPEND)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return _append_locked(descriptor, path, site, event)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HftError(
            Exit.INTERNAL,
            f"{path}: cannot write the run record: {error.strerror}; hint: free space, or set HFT_STATE",
        ) from error


def open_shared(path: Path, flags: int) -> int:
    """Open or create a file of the state directory; it is as shared as the directory, whatever the umask.

    Operators who share a site share $HFT_STATE (say, 2770 and a group of their own); what one of them creates
    the next one must be able to write.
    """
    folder = path.parent
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.parent.stat().st_mode & 0o2777)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(descriptor, folder.stat().st_mode & 0o666)
    return descriptor


def _append_locked(descriptor: int, path: Path, site: str, event: Mapping[str, Any]) -> str:
    history = read_bytes(path.read_bytes())
    size = os.fstat(descriptor).st_size
    line = {"schema": 1, "at": now(), "site": site, **event, "prev": history.last_hash}
    line["hash"] = hash_of(line)
    # One write: another reader sees the whole line or none of it; a torn tail of a power cut is ended first.
    data = (b"\n" if history.torn_tail else b"") + _canonical(line) + b"\n"
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
    return str(line["hash"])


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _canonical(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def hash_of(line: Mapping[str, Any]) -> str:
    """The SHA-256 of a line's canonical JSON without its own hash."""
    return hashlib.sha256(_canonical({key: line[key] for key in line if key != "hash"})).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A record as read: its good lines, what is wrong with it, and where the chain stands."""

    lines: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    last_hash: str
    torn_tail: bool

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

    def last_of_host(self, name: str, verb: str) -> dict[str, Any] | None:
        """The newest closed run of VERB that has facts about a host: those facts, with `at` and `run`."""
        for line in reversed(self.lines):
            if line.get("event") == "closed" and line.get("verb") == verb and name in line.get("hosts", {}):
                return {**line["hosts"][name], "at": line["at"], "run": line["run"]}
        return None

    def applied_plan(self, name: str) -> str | None:
        """The plan hash of the last committed apply of a host from here; a revert forgets it."""
        applied, reverted = self.last_of_host(name, "apply"), self.last_of_host(name, "revert")
        if applied is None or (reverted is not None and reverted["at"] >= applied["at"]):
            return None
        found = applied.get("plan_hash") if applied.get("result") in ("committed", "applied") else None
        return found if isinstance(found, str) else None


def _is_alive(opened: Mapping[str, Any]) -> bool:
    here = str(opened.get("by", "")).rpartition("@")[2] == socket.gethostname()
    return not here or Path("/proc", str(opened.get("pid"))).exists()


def read(site: str) -> History:
    """The record of a site; an empty one when nothing ran yet."""
    try:
        return read_bytes(records_path(site).read_bytes())
    except FileNotFoundError:
        return read_bytes(b"")
    except OSError as error:
        raise HftError(Exit.INTERNAL, f"{records_path(site)}: cannot read it: {error.strerror}") from error


def read_bytes(data: bytes) -> History:
    """Check every line against the chain; a damaged line is named and skipped, never guessed at."""
    lines, problems, last = [], [], GENESIS
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw:
            continue
        line = _parse(raw)
        if line is None:
            problems.append(f"line {number}: half a line, or changed")
            continue
        if line.get("prev") != last:
            problems.append(f"line {number}: does not follow the line before it; a line was removed or moved")
        lines.append(line)
        last = line["hash"]
    torn = bool(data) and not data.endswith(b"\n")
    return History(lines=tuple(lines), problems=tuple(problems), last_hash=last, torn_tail=torn)


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    good = isinstance(line, dict) and line.get("schema") == 1 and line.get("hash") == hash_of(line)
    return line if good and isinstance(line.get("at"), str) else None
