"""Commands that tests start: one that is judged by the test, and one that must succeed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.checkout import ROOT

BIN = Path(sys.executable).parent  # where the console scripts of this environment are
Done = subprocess.CompletedProcess[str]


def called(*argv: object, timeout_s: float = 60, stdin: str | None = None) -> Done:
    """Run a command to its end, however it ends; both streams are text."""
    words = [str(word) for word in argv]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)


def output(*argv: object, timeout_s: float = 60, stdin: str | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = called(*argv, timeout_s=timeout_s, stdin=stdin)
    assert done.returncode == 0, f"{' '.join(map(str, argv))} exited {done.returncode}: {done.stderr}"
    return done.stdout


def hft(*words: object, timeout_s: float = 1500) -> Done:
    """`hft` of this checkout in a process of its own, from the root; however it ends."""
    argv = [sys.executable, "-m", "hft", *map(str, words)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
