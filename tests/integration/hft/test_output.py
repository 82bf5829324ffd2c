"""Output never steers: a reader that left ends a verb that only reads with 0, and stops no change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

TELLS = "from transport.show import tell\nfor _ in range(3): tell('x' * 70000)\ntell('end', err=True)\n"


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("argv", [["-m", "hft", "--help"], ["-m", "hft", "status", "--help"], ["-c", TELLS]])
def test_nobody_reads(argv: list[str]) -> None:
    out = closed_pipe()
    done = subprocess.run(
        [sys.executable, *argv], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(out)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert argv[0] == "-m" or done.stderr.strip() == "end", "the other stream still speaks"


def test_full_disk_behind_the_output() -> None:
    with Path("/dev/full").open("w") as full:
        argv = [sys.executable, "-c", TELLS]
        done = subprocess.run(argv, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in {0, 120}, "120: the interpreter itself could not flush at its end"
    assert "end" in done.stderr
