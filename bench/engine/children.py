"""Programs under measurement: where they are, how they are started and surely ended, what they say.

The programs are a Release build: HFT_NATIVE_BUILD=DIR or --build DIR names one, otherwise the one of these
sources is made (scripts/native_build.py keeps it for the next time). Every program ends with the block that
started it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from bench.errors import BenchError

PATIENCE_S = 60.0
PROGRAMS = (
    "hft-book-bench", "hft-risk-bench", "hft-itch", "hft-load", "hft-relay", "hft-engine", "hft-gateway",
)  # fmt: skip


def programs_in(build: Path) -> Path:
    """The folder of the programs; BenchError when one is missing."""
    folder = build / "bin"
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise BenchError(f"{folder} has no {', '.join(missing)}; is {build} a finished build?")
    return folder


def free_ports(count: int) -> list[int]:
    """UDP ports that nobody holds at this moment."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


Argv = Sequence[str | Path]


class Child:
    """A started program with its standard input and output; standard error goes to a file."""

    def __init__(self, argv: Argv, complaints: Path) -> None:
        self.name = Path(argv[0]).name
        self._complaints = complaints
        with complaints.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self.pid = self._process.pid
        self._lines = b""

    def line(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next JSON line of its output; BenchError when none comes in time."""
        out = self._out()
        end = time.monotonic() + patience_s
        while b"\n" not in self._lines:
            ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(out.fileno(), 65536) if ready else b""
            if not piece:
                raise BenchError(
                    f"{self.name} said nothing in {patience_s:.0f} s or ended: {self.complaint()}"
                )
            self._lines += piece
        line, _, self._lines = self._lines.partition(b"\n")
        return dict(json.loads(line))

    def go(self) -> None:
        """A line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit code."""
        # Waiting on the descriptor wakes this process once; subprocess would look twenty times a second.
        handle = os.pidfd_open(self.pid)
        try:
            ended, _, _ = select.select([handle], [], [], patience_s)
        finally:
            os.close(handle)
        if not ended:
            raise BenchError(f"{self.name} did not end within {patience_s:.0f} s")
        return self._process.wait()

    def must_end(self, patience_s: float = PATIENCE_S) -> None:
        """It must end with 0."""
        if code := self.wait(patience_s):
            raise BenchError(f"{self.name} ended with {code}: {self.complaint()}")

    def complaint(self) -> str:
        """The end of its standard error."""
        return self._complaints.read_text(errors="replace").strip()[-400:] or "without a word"

    def close(self) -> None:
        """SIGTERM, then SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout


@contextmanager
def child(argv: Argv, complaints: Path) -> Iterator[Child]:
    """A program for as long as the block lasts."""
    running = Child(argv, complaints)
    try:
        yield running
    finally:
        running.close()


def output_of(argv: Argv, timeout_s: float) -> dict[str, Any]:
    """The JSON object that a program prints; BenchError when it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout_s
        )
        return (
            dict(json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else _failed(words, done)
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(words)} did not end within {timeout_s:.0f} s") from None
    except (ValueError, IndexError):
        raise BenchError(f"{' '.join(words)} printed no JSON object") from None


def _failed(words: list[str], done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    told = (done.stderr or done.stdout).strip()[-400:]
    raise BenchError(f"{' '.join(words)} ended with {done.returncode}: {told}")
