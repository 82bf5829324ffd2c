"""A state directory of the test's own for everything that `hft` keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hft_here import own_state


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own, and no lab."""
    return own_state(tmp_path, monkeypatch)
