"""What the oracle tests share: the program under test, and the sample data where it is there."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cases.data import DATA, missing

Itch = Callable[..., list[Any]]
SAMPLES = DATA / "itch"


@pytest.fixture
def itch_text(native: Path) -> Callable[..., list[str]]:
    """Run hft-itch and return its output lines."""

    def run(*arguments: object, lines_in: str = "") -> list[str]:
        argv = [str(native / "bin" / "hft-itch"), *map(str, arguments)]
        done = subprocess.run(argv, input=lines_in, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.fixture
def itch(itch_text: Callable[..., list[str]]) -> Itch:
    """Run hft-itch and return its output lines, decoded from JSON."""
    return lambda *arguments, **options: [json.loads(line) for line in itch_text(*arguments, **options)]


def data_file(name: str) -> Path:
    """A sample file; a machine without the sample folder skips the test and says so."""
    if not (SAMPLES / name).is_file():
        pytest.skip(missing(SAMPLES / name))
    return SAMPLES / name


@pytest.fixture
def real_open() -> Path:
    """1,000 real Nasdaq messages of one market open; joined mid-day, so many references are unknown."""
    return data_file("nasdaq_20191230_open_burst.itch50")


@pytest.fixture
def invented_day(tmp_path: Path) -> Path:
    """12,012 invented messages whose length prefixes are all zero: to be decoded by type."""
    path = tmp_path / "day.itch50"
    path.write_bytes(gzip.decompress(data_file("ritch_synthetic_day.itch50.gz").read_bytes()))
    return path
