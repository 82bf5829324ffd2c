"""Connections to a gateway that are never admitted: held in silence, or coming again and again."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

Address = tuple[str, int]
_THREADS = 3


@contextmanager
def silent(to: Address, count: int, sources: tuple[str, ...]) -> Iterator[None]:
    """COUNT connections that say nothing, from SOURCES in turn."""
    with ExitStack() as stack:
        for number in range(count):
            source = (sources[number % len(sources)], 0)
            stack.enter_context(socket.create_connection(to, timeout=10, source_address=source))
        yield


@contextmanager
def flood(to: Address, words: bytes, source: str = "127.0.0.9") -> Iterator[list[int]]:
    """Connections that say WORDS and come again when they are closed; how many there were, by thread."""
    stopped, counts = threading.Event(), [0] * _THREADS

    def run(number: int) -> None:
        while not stopped.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(to, timeout=10, source_address=(source, 0)) as link,
            ):
                link.sendall(words)
                counts[number] += 1
                link.settimeout(0.2)
                while link.recv(65536):
                    pass

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(_THREADS)]
    for thread in running:
        thread.start()
    try:
        yield counts
    finally:
        stopped.set()
        for thread in running:
            thread.join(10)
