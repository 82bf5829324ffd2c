"""The state file of a lab named `test` with three VMs, as an inventory reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZl",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZm",
]


def vm(number: int, role: str) -> dict[str, Any]:
    return {
        "address": "127.0.0.1",
        "ssh_port": 40022 + number,
        "user": "root",
        "host_key": KEYS[number],
        "machine_id": f"{number}" * 32,
        "macs": [f"52:54:00:00:00:0{number}"],
        "kernel": "rt",
        "role": role,
        "failure_domain": f"rack-{number}",
        "pid": 123,
        "console": "/tmp/console",  # a path in a document, never opened
    }


def write_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state file in FOLDER, which is where labs are from now on."""
    monkeypatch.setenv("HFT_LAB_DIR", str(folder))
    monkeypatch.setenv("HFT_LAB", "test")
    hosts = {"engine-1": vm(0, "engine"), "engine-2": vm(1, "engine"), "ops": vm(2, "ops")}
    path = folder / "test" / "state.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": 1, "name": "test", "ssh_key": "/keys/id", "hosts": hosts}))
    return path
