"""Processes that a dead engine left behind.

What the engine starts ends with it (stacks/language/leash.py), unless it cannot run at all: a stopped
process notices nothing, and when it is woken it may still create what it was asked for. So before anything is
settled, whatever carries this site's mark in its environment is ended by the kernel.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MARK = "HFT_STACK_ROOT"
WAIT_S = 5.0


def leftovers(root: Path) -> tuple[int, ...]:
    """This account's processes that were started for the site whose state is in ROOT (proc(5), environ)."""
    wanted = f"{MARK}={root}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_marked(entry, wanted):
            found.append(int(entry.name))
    return tuple(sorted(found))


def _is_marked(entry: Path, wanted: bytes) -> bool:
    try:
        return wanted in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or another account's
        return False


def end_leftovers(root: Path, told: Callable[[str], None]) -> None:
    """End them and wait until they are gone."""
    for pid in leftovers(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        told(f"pid {pid}: a process of the run that was cut off, ended")
    end_s = time.monotonic() + WAIT_S
    while leftovers(root) and time.monotonic() < end_s:
        time.sleep(0.02)
