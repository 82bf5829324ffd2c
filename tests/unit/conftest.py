"""The walls of tests/unit: a test here that starts a process or uses a socket fails, and says what it was.

The interpreter tells an audit hook (PEP 578) what it is asked for. While a test below this folder is set up,
runs or is torn down, the events of BARRED fail it: at the place itself, and again at the end of that step if
something on the way (an `except`, another thread) has swallowed it. `socket.socketpair()` stays inside of the
process and is allowed. Tests that need more belong to tests/integration.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

PROCESSES = frozenset(
    ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn")
)
SOCKETS = frozenset(
    ("socket.bind", "socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
)
BARRED = PROCESSES | SOCKETS


class Guard:
    """What was asked for while armed; None while nothing is watched."""

    seen: list[str] | None = None

    def look(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook: it can never be taken out again, so it asks whether it is armed."""
        if self.seen is not None and event in BARRED:
            self.seen.append(f"{event} {arguments[1:] if event in SOCKETS else arguments[:2]}")
            pytest.fail(told(self.seen), pytrace=True)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Watch this block; what it swallowed fails it at its end."""
        self.seen = []
        try:
            yield
        finally:
            seen, self.seen = self.seen, None
        if seen:
            pytest.fail(told(seen), pytrace=False)


def told(seen: list[str]) -> str:
    return f"tests/unit starts no process and uses no socket (tests/integration may): {', '.join(seen)}"


guard = Guard()
sys.addaudithook(guard.look)


# These hooks are called for the items below this folder alone, and enclose fixtures of every scope.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    with guard.armed():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with guard.armed():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    with guard.armed():
        return (yield)
