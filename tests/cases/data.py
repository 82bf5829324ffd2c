"""Test data that is not ours to ship: captured machines, recorded market data.

`HFT_TEST_DATA` names the folder; without it `shared/data` beside the checkout is tried. A test whose data is
not there is skipped, and its reason says how to provide it.
"""

from __future__ import annotations

import os
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("HFT_TEST_DATA", BESIDE))


def missing(path: Path) -> str:
    """The reason of a skip."""
    return f"{path} is not here, and it is not ours to ship: HFT_TEST_DATA names the folder of such data"
