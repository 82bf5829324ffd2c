"""What is remembered of checks: the last verdict of each host, and its counters before tuning.

Plain JSON files under `checks/SITE/` of the state root, replaced as a whole. `HOST.json` is the host's
part of the check document (docs/schema/check.schema.json); `HOST.untuned.json` is a measurement taken
while no plan was committed, the "before" of every later comparison.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checks.errors import CheckError
from checks.meter import Load, Measurement, parse_measurement


def state_root() -> Path:
    """$HFT_STATE, else ~/.local/state/hft."""
    return Path(os.environ.get("HFT_STATE") or "~/.local/state/hft").expanduser()


def meter_cache() -> Path:
    """Where the compiled meter is kept."""
    return state_root() / "meter"


def _path(site: str, name: str) -> Path:
    return state_root() / "checks" / site / f"{name}.json"


def save(site: str, name: str, document: Mapping[str, Any]) -> Path:
    """Keep a document; a reader sees the old one or the new one."""
    path = _path(site, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, scratch = tempfile.mkstemp(prefix=f".{name}-", dir=path.parent)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, sort_keys=True)
        file.write("\n")
    Path(scratch).replace(path)
    return path


def load_untuned(site: str, host: str) -> Measurement | None:
    """The host's measurement from before tuning; None when there is none or it cannot be read."""
    try:
        text = _path(site, f"{host}.untuned").read_text(encoding="utf-8")
        return parse_measurement(text, NO_LOAD)
    except (OSError, CheckError):
        return None


NO_LOAD = Load(
    spin=frozenset(), observe=frozenset(), control=0, coordinator=frozenset(), guard=frozenset(), window_s=0
)


def save_untuned(site: str, host: str, measurement: Measurement) -> Path:
    """Keep a measurement of an untuned host as the "before" of later reports."""
    return save(site, f"{host}.untuned", measurement.document)
