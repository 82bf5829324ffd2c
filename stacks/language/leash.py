"""Runs a Python script or module that ends as soon as its parent has ended.

An engine that is killed cannot end what it started: without a leash its language host, the program and the
dynamic providers live on, hold ports and may go on creating. PR_SET_PDEATHSIG (prctl(2)) would fire when the
*thread* that started us ends, and the engine's threads come and go; so a thread of ours waits for the parent
itself, by its descriptor (pidfd_open(2)). Standard library only: it runs under any project's interpreter.

    python leash.py SCRIPT [ARG]...
    python leash.py --module NAME [ARG]...
"""

from __future__ import annotations

import os
import runpy
import select
import sys
import threading

ORPHANED = 75  # EX_TEMPFAIL of sysexits.h: nobody is left to read it


def end_with_parent() -> None:
    """From now on this process ends, with exit code ORPHANED and no clean-up, when its parent has ended."""
    parent = os.getppid()
    descriptor = os.pidfd_open(parent)
    if os.getppid() != parent:  # it ended between the two calls, and its number may be another's by now
        os._exit(ORPHANED)
    threading.Thread(target=_wait, args=(descriptor,), name="leash", daemon=True).start()


def _wait(descriptor: int) -> None:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    waiting.poll()
    os._exit(ORPHANED)


def main(argv: list[str]) -> None:
    """Put this process on the leash, then become what ARGV names."""
    end_with_parent()
    if argv[0] == "--module":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
