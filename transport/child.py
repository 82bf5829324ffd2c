"""A local command whose time and output are bounded before anything of it is kept.

What a host prints is data from a machine that may be broken or hostile: without a bound one flood, times
all hosts that are asked side by side, ends the controller. Every child in flight is known here, so that
Ctrl-C can end all of them at once, whichever thread waits for them.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

OUTPUT_CAP = 16 * 1024 * 1024
_CHUNK = 65536
_MOMENT_S = 0.2
_RUNNING: set[subprocess.Popen[bytes]] = set()
_STOP: list[None] = []  # a plain list and no Event: gevent, if it comes, comes after this import


class TooMuchOutputError(Exception):
    """More than OUTPUT_CAP bytes came; the child was ended."""


class LateError(TimeoutError):
    """The child did not end in time; how far it had got by then."""

    def __init__(self, *, has_begun: bool, is_connected: bool) -> None:
        super().__init__()
        self.has_begun, self.is_connected = has_begun, is_connected


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A file by which the child says that it has begun, and until when; its own time counts from then on."""

    sign: Path
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a child left."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_bounded(argv: Sequence[str], *, stdin: bytes, timeout_s: float, begin: Begin | None = None) -> Done:
    """Run a local command; LateError after `timeout_s`, TooMuchOutputError past OUTPUT_CAP of either stream.

    The child is ended in each case; whatever it started elsewhere is not.
    """
    _go_on()
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,  # Ctrl-C reaches us, and we end the child: one order of events, not two
    )
    _RUNNING.add(child)
    with child:
        try:
            exchange = _Exchange(child=child, stdin=stdin, timeout_s=timeout_s, begin=begin)
            exchange.pump()
            child.wait(timeout=max(0.1, exchange.left_s()))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            has_begun = begin is None or begin.sign.exists()
            raise LateError(
                has_begun=has_begun, is_connected=has_begun or _is_connected(child.pid)
            ) from error
        finally:
            _end(child)
            _RUNNING.discard(child)
    if child.returncode == -signal.SIGKILL:
        _go_on()  # it may be we who ended it, which says nothing about what it was asked to do
    return Done(
        returncode=child.returncode,
        stdout=bytes(exchange.got["stdout"]),
        stderr=bytes(exchange.got["stderr"]),
    )


@contextmanager
def stopped() -> Iterator[None]:
    """In the body every child in flight is ended and every later one refused: what Ctrl-C means here."""
    _STOP.append(None)
    try:
        for child in tuple(_RUNNING):
            _end(child)
        yield
    finally:
        _STOP.pop()


def pause(seconds: float) -> None:
    """Sleep, unless everything is to stop: then KeyboardInterrupt, within a moment."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        _go_on()
        time.sleep(min(left, _MOMENT_S))
    _go_on()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it and what it started (a jump host's ssh, a shell's commands): its session is its own."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _is_connected(pid: int) -> bool:
    """Whether a process, or one that it started, has a TCP connection that the other side has taken."""
    import psutil  # type: ignore[import-untyped]  # it carries no types; only who is late pays for it

    try:
        top = psutil.Process(pid)
        each = [one.net_connections("tcp") for one in (top, *top.children(recursive=True))]
    except psutil.Error:
        return False
    return any(found.status == psutil.CONN_ESTABLISHED for connections in each for found in connections)


def _go_on() -> None:
    if _STOP:
        raise KeyboardInterrupt


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """Feeds standard input and drains both outputs at once, within a deadline and a size."""

    child: subprocess.Popen[bytes]
    stdin: bytes
    timeout_s: float
    begin: Begin | None
    deadline: float = field(init=False)
    got: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})

    def __post_init__(self) -> None:
        first_s = self.timeout_s if self.begin is None else self.begin.timeout_s
        self.deadline = time.monotonic() + first_s

    def left_s(self) -> float:
        """The time that is left, from the moment on at which the child began."""
        if self.begin is not None and self.begin.sign.exists():
            self.begin, self.deadline = None, time.monotonic() + self.timeout_s
        return self.deadline - time.monotonic()

    def pump(self) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        os.set_blocking(self.child.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ, "stdout")
            selector.register(self.child.stderr, selectors.EVENT_READ, "stderr")
            selector.register(self.child.stdin, selectors.EVENT_WRITE, "stdin")
            while selector.get_map():
                left = self.left_s()
                if left <= 0:
                    raise TimeoutError
                _go_on()
                for key, _ in selector.select(min(left, _MOMENT_S)):
                    stream = key.fileobj
                    assert not isinstance(stream, int)
                    done = self._feed() if key.data == "stdin" else self._drain(key.fd, key.data)
                    if done:
                        selector.unregister(stream)
                        _close(stream)  # type: ignore[arg-type]  # the three pipes registered above

    def _feed(self) -> bool:
        assert self.child.stdin is not None
        if self.stdin:
            try:
                sent = os.write(self.child.stdin.fileno(), self.stdin[:_CHUNK])
            except BlockingIOError:
                return False
            except BrokenPipeError:
                return True  # the other side stopped reading; its exit code tells why
            self.stdin = self.stdin[sent:]
        return not self.stdin

    def _drain(self, descriptor: int, name: str) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        self.got[name] += chunk
        if len(self.got[name]) > OUTPUT_CAP:
            raise TooMuchOutputError
        return not chunk


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # the peer closed first; there is nothing left to flush
