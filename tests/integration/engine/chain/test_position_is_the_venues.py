"""Orders and positions of the core follow every event of the venue; the unit tests beside the core say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import called


@pytest.mark.engine
def test_the_core_counts_as_the_venue_does(native: Path) -> None:
    done = called(native / "tests" / "core_test", "--gtest_brief=1", "--gtest_filter=Orders.*")
    assert done.returncode == 0, done.stdout[-4000:]
