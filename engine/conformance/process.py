"""One running engine as the suite sees it: process, admin socket, sd_notify(3) messages."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.conformance.errors import Broken
from engine.conformance.events import EventLog
from engine.contract.metrics import Page, read_page
from engine.contract.refusals import ADMIN, RISK

POLL_S = 0.01
Answer = dict[str, Any]


class Engine:
    """A started process; everything about it ends with `close`."""

    def __init__(
        self,
        argv: list[str],
        directory: Path,
        patience_s: float,
        watchdog_ms: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory, self.patience_s = directory, patience_s
        self.notes = EventLog()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = directory / "notify"
        path.unlink(missing_ok=True)
        self._notify.bind(str(path))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._admin: socket.socket | None = None
        self._lines = b""
        seen = {**os.environ, **(environment or {}), "NOTIFY_SOCKET": str(path)}
        seen.pop("WATCHDOG_USEC", None)
        if watchdog_ms is not None:
            seen["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
            self._process = subprocess.Popen(
                argv, cwd=directory, env=seen, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        self.pid = self._process.pid

    def close(self) -> None:
        """Kill it if it is still running, and close what was opened for it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._admin is not None:
            self._admin.close()
        with suppress(OSError):
            self._notify.shutdown(socket.SHUT_RDWR)
        self._listener.join(timeout=1)
        self._notify.close()

    def _listen(self) -> None:
        while True:
            try:
                data = self._notify.recv(4096)
            except OSError:
                return
            if not data:
                return
            for line in data.decode("utf-8", "replace").splitlines():
                self.notes.add(line.partition("=")[0], line.partition("=")[2])

    # Process.

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def sigkill(self) -> None:
        """SIGKILL, as in a crash."""
        self._process.kill()
        self._process.wait()

    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def wait_exit(self, *, or_ready: bool = False) -> int:
        """Its exit code; Broken when it keeps running, or with OR_READY as soon as it sends READY=1."""
        end = time.monotonic() + self.patience_s
        while (code := self._process.poll()) is None:
            if or_ready and self.notes.all("READY"):
                raise Broken("it sent READY=1 instead of refusing to start")
            if time.monotonic() > end:
                raise Broken(f"still running {self.patience_s:g} s after it should have exited")
            time.sleep(POLL_S / 2)
        return code

    def stop(self) -> int:
        """SIGTERM and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_exit()

    def stderr(self) -> str:
        """What it wrote to standard error."""
        return (self._directory / "stderr").read_text(errors="replace")

    def last_line(self) -> Answer:
        """The JSON object on the last line of standard output."""
        lines = (self._directory / "stdout").read_text(errors="replace").strip().splitlines()
        try:
            found = json.loads(lines[-1])
        except (IndexError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise Broken(f"the last line of standard output is not a JSON object: {lines[-1:]}")
        return found

    def wait_ready(self) -> None:
        """Wait for READY=1; Broken with the reason when it does not arrive."""
        end = time.monotonic() + self.patience_s
        while not self.notes.all("READY"):
            self._must_live("READY=1")
            if time.monotonic() > end:
                raise Broken(f"no READY=1 within {self.patience_s:g} s")
            time.sleep(POLL_S)

    def wait_up(self) -> None:
        """An admin socket that answers, with or without READY=1: most cases judge something else."""
        end = time.monotonic() + self.patience_s
        while True:
            try:
                self.status()
                return
            except Broken:
                self._must_live("an answer on its admin socket")
                if time.monotonic() > end:
                    raise
                self.hang_up()
                time.sleep(POLL_S)

    def _must_live(self, what: str) -> None:
        if not self.alive():
            words = " ".join(self.stderr().strip().splitlines()[-1:])
            raise Broken(f"ended with {self._process.returncode} before {what}: {words}")

    def hang_up(self) -> None:
        """Close the persistent connection; the next request goes to whoever has the socket by then."""
        if self._admin is not None:
            self._admin.close()
        self._admin = None

    def threads(self) -> set[str]:
        """The present names of its threads."""
        names = set()
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                names.add((task / "comm").read_text().strip())
        return names

    # Admin socket.

    def say(self, data: bytes) -> None:
        """Send bytes on a connection of their own, and wait for no answer."""
        with socket.socket(socket.AF_UNIX) as link, suppress(OSError):
            link.settimeout(self.patience_s)
            link.connect(str(self._directory / "admin"))
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            while link.recv(4096):
                pass

    def raw(self, *lines: bytes) -> list[Answer]:
        """Send lines in one write on the persistent connection; returns the answers."""
        return [self._decode(line) for line in self.raw_lines(*lines)]

    def raw_lines(self, *lines: bytes) -> list[bytes]:
        """The same, undecoded."""
        try:
            if self._admin is None:
                self._admin = socket.socket(socket.AF_UNIX)
                self._admin.settimeout(self.patience_s)
                self._admin.connect(str(self._directory / "admin"))
                self._lines = b""
            self._admin.sendall(b"".join(line + b"\n" for line in lines))
            return [self._line() for _ in lines]
        except OSError as error:
            raise Broken(f"admin socket: {error}") from error

    def _line(self) -> bytes:
        assert self._admin is not None
        while b"\n" not in self._lines:
            data = self._admin.recv(65536)
            if not data:
                raise Broken("admin socket: closed instead of an answer")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        return line

    def _decode(self, line: bytes) -> Answer:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
            raise Broken(f"admin answer is not an object with ok: {line[:80]!r}")
        return found

    def ask(self, verb: str, **fields: Any) -> Answer:
        """One request and its answer."""
        return self.raw(request(verb, **fields))[0]

    def must(self, verb: str, **fields: Any) -> Answer:
        """A request that must succeed."""
        answer = self.ask(verb, **fields)
        if not answer["ok"]:
            raise Broken(f"{verb} was refused: {answer.get('code')} {answer.get('detail')}")
        return answer

    def must_not(self, codes: str | Collection[str], verb: str, **fields: Any) -> Answer:
        """A request that must be refused with one of CODES."""
        answer = self.ask(verb, **fields)
        wanted = {codes} if isinstance(codes, str) else set(codes)
        told = _told(fields)
        if answer["ok"]:
            raise Broken(f"{verb}{told} succeeded, not refused with {' or '.join(sorted(wanted))}")
        if answer.get("code") not in wanted:
            raise Broken(
                f"{verb}{told} was refused with {answer.get('code')!r}, not {' or '.join(sorted(wanted))}"
            )
        return answer

    def status(self) -> Answer:
        """The answer to `status`."""
        return self.must("status")

    def state(self) -> str:
        """The state it reports."""
        return str(self.status().get("state"))

    def wait_status(self, what: str, ready: Callable[[Answer], bool]) -> Answer:
        """The first status for which READY holds; Broken naming WHAT."""
        end = time.monotonic() + self.patience_s
        while True:
            found = self.status()
            if ready(found):
                return found
            if time.monotonic() > end:
                raise Broken(f"{what} not seen within {self.patience_s:g} s; state {found.get('state')}")
            time.sleep(POLL_S)

    def wait_state(self, *states: str) -> str:
        """The first of STATES that it reports."""
        return str(self.wait_status(" or ".join(states), lambda found: found.get("state") in states)["state"])

    def stays(self, seconds: float, what: str, holds: Callable[[Answer], bool]) -> None:
        """WHAT must hold in every status for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not holds(self.status()):
                raise Broken(f"{what} did not hold")
            time.sleep(POLL_S)

    # Metrics.

    def page(self) -> Page:
        """Its metrics page."""
        try:
            return read_page((self._directory / "metrics").read_bytes())
        except (OSError, ValueError) as error:
            raise Broken(f"metrics page: {error}") from error

    def metric(self, name: str) -> int:
        """One value of the page."""
        entry = self.page().entries.get(name)
        if entry is None:
            raise Broken(f"the metrics page has no {name}")
        return entry.values[0]

    def wait_metric(self, name: str, value: int) -> None:
        """A value must become VALUE."""
        end = time.monotonic() + self.patience_s
        while (seen := self.metric(name)) != value:
            if time.monotonic() > end:
                raise Broken(f"{name} is {seen}, not {value}")
            time.sleep(POLL_S)


def request(verb: str, **fields: Any) -> bytes:
    """One request line without its newline."""
    return json.dumps({"verb": verb, **fields}).encode()


def _told(fields: dict[str, Any]) -> str:
    return " " + json.dumps(fields) if fields else ""


ALL_CODES = frozenset((*ADMIN, *RISK))
