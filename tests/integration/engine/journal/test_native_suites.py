"""The GoogleTests of base, journal, core and trader, as they ship; others run beside their parts' tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

SUITES = [("base_test", 14), ("journal_test", 30), ("core_test", 60), ("trader_test", 3)]


@pytest.mark.parametrize(("suite", "tests_min"), SUITES)
def test_every_native_test_passes(suite: str, tests_min: int, native: Path) -> None:
    done = subprocess.run([native / "tests" / suite], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
    assert passed is not None and int(passed[1]) >= tests_min
