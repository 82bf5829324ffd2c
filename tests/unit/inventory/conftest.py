"""Inventories to start from: a small good one, as values and as a file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KEY_A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
KEY_B = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZl"

GOOD: dict[str, Any] = {
    "name": "rack",
    "hosts": [
        {"name": "e1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a", "profile": "engine"},
        {"name": "e2", "address": "192.0.2.2", "role": "engine", "failure_domain": "b", "profile": "engine"},
        {"name": "ops", "address": "192.0.2.3", "role": "ops", "failure_domain": "a"},
    ],
}


@pytest.fixture
def good() -> dict[str, Any]:
    return copy.deepcopy(GOOD)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[object], Path]:
    """Write a value as a JSON inventory and return its path."""

    def write(value: object) -> Path:
        path = tmp_path / "site.json"
        path.write_text(json.dumps(value))
        return path

    return write
