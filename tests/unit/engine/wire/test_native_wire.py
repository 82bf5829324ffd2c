"""The GoogleTest binaries of wire, feed and book: each must run tests, and all of them must pass."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

BINARIES = ("test_wire", "test_feed", "test_book")


@pytest.mark.parametrize("name", BINARIES)
def test_native_tests_pass(name: str, native: Path) -> None:
    done = subprocess.run([str(native / "tests" / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 15
