"""What is kept of checks: the last verdict of each host, and its counters before tuning.

Plain JSON files under `checks/SITE/` of the state root, replaced as a whole. `HOST.json` is the host's
part of the check document (docs/schema/check.schema.json); `HOST.untuned.json` is a measurement taken
while no plan was committed, the "before" of every later comparison. `HOST.tuned.json` is the last window of
the tuned host, `HOST.accepted.json` the one that a person accepted, each with its key (checks/accepted.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from checks.accepted import Kept, kept_of
from checks.counters import Measurement, parse_measurement
from checks.errors import CheckError
from checks.meter import NO_LOAD
from inventory.errors import StateError
from inventory.state_dir import read_plain, replacing, state_root
from transport.places import cache_home

SIZE_MAX = 8 << 20
Window = Literal["tuned", "accepted"]


def meter_cache() -> Path:
    """Where this account keeps the compiled meter: never below $HFT_STATE, which colleagues may write."""
    return cache_home() / "hft" / "meter"


def _path(site: str, name: str) -> Path:
    return state_root() / "checks" / site / f"{name}.json"


def save(site: str, name: str, document: Mapping[str, Any]) -> Path:
    """Store a document; a reader sees either the old or the new one."""
    path = _path(site, name)
    with replacing(path) as descriptor, os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, sort_keys=True)
        file.write("\n")
    os.close(descriptor)
    return path


def read(site: str, host: str) -> bytes:
    """The last verdict on a host, as it was saved; OSError and StateError where it cannot be read."""
    return read_plain(_path(site, host), SIZE_MAX)


def load_untuned(site: str, host: str) -> Measurement | None:
    """The host's measurement from before tuning; None when there is none or it cannot be read."""
    try:
        text = read_plain(_path(site, f"{host}.untuned"), SIZE_MAX).decode("utf-8")
        return parse_measurement(text, NO_LOAD)
    except (OSError, UnicodeDecodeError, StateError, CheckError):
        return None


def save_untuned(site: str, host: str, measurement: Measurement) -> Path:
    """Keep a measurement of an untuned host as the "before" of later reports."""
    return save(site, f"{host}.untuned", measurement.document)


def save_window(site: str, host: str, name: Window, kept: Kept) -> Path:
    """Keep the last tuned window of a host, or the accepted one."""
    return save(site, f"{host}.{name}", kept.document())


def load_window(site: str, host: str, name: Window) -> Kept | None:
    """A kept window; None when there is none or it cannot be read."""
    try:
        text = read_plain(_path(site, f"{host}.{name}"), SIZE_MAX).decode("utf-8")
        return kept_of(json.loads(text))
    except (OSError, ValueError, RecursionError, StateError, CheckError):
        return None
