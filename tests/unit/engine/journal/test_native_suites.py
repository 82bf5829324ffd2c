"""The GoogleTests of journal and core, as they ship; the other parts' run beside those parts' own tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize(("suite", "tests_min"), [("journal_test", 30), ("core_test", 50)])
def test_every_native_test_passes(suite: str, tests_min: int, native: Path) -> None:
    done = subprocess.run([native / "tests" / suite], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
    assert passed is not None and int(passed[1]) >= tests_min
