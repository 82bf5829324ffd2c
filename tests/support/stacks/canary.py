"""Where a secret is seen while something runs, and where it lies afterwards."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

WATCH_S = 0.02  # no process of an engine's run is shorter


def files_with(text: str, folder: Path) -> list[Path]:
    """The files below FOLDER that hold a text."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone by now, or a socket
            found += [path] if path.is_file() and text.encode() in path.read_bytes() else []
    return found


def processes_with(text: str) -> list[Path]:
    """The command lines of this moment that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [path] if text.encode() in path.read_bytes() else []
    return found


@contextlib.contextmanager
def watched(text: str, scratch: Path) -> Iterator[set[str]]:
    """What held TEXT at any moment of the body: a process's arguments, a file in SCRATCH."""
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.update(map(str, (*processes_with(text), *files_with(text, scratch))))
            time.sleep(WATCH_S)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield seen
    ended.set()
    watcher.join()
