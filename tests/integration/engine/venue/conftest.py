"""Venues for tests: the real program, started with the configuration a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine.venue import ACCOUNTS, VenueRig


@pytest.fixture
def make_venue(native: Path, tmp_path: Path) -> Iterator[Callable[..., VenueRig]]:
    """Start venues; each keyword is a key of the configuration, `faults` maps a line to its plan."""
    with ExitStack() as stack:

        def make(**config: Any) -> VenueRig:
            folder = tmp_path / f"venue{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            config.setdefault("accounts", ACCOUNTS)
            return VenueRig(native / "bin" / "hft-venue", folder, stack, config)

        yield make


@pytest.fixture
def venue(make_venue: Callable[..., VenueRig]) -> VenueRig:
    """A venue with two symbols, four accounts, a drop copy of ALICE and no source."""
    return make_venue(drop_copies=[{"user": "DROP", "password": "secret", "account": "ALICE"}])
