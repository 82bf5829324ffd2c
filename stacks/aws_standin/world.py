"""The objects that the stand-in made, as files, and the faults that a test asks for.

`$HFT_AWS_STANDIN` is a directory: `objects/ID.json` each made object, `faults.json` what goes wrong, by
resource type: `"no capacity"` (create fails), `"slow SECONDS"` (create takes that long), `"crash"` (the
provider dies after the object exists and before anybody is told). Without the variable nothing is kept,
which is enough to plan.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CRASHED = 86


class FaultError(Exception):
    """What AWS would have answered."""


class World:
    """One directory of objects."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def here(cls) -> World:
        """The one that the environment names."""
        named = os.environ.get("HFT_AWS_STANDIN")
        return cls(Path(named) if named else None)

    def make(self, token: str, prefix: str, state: Mapping[str, Any]) -> str:
        """The id of a new object; FaultError, a delay, or the end of this process, where a fault is asked."""
        fault = self._fault(token)
        if fault == "no capacity":
            raise FaultError(
                f"InsufficientInstanceCapacity: there is no capacity for {state.get('instanceType', token)}"
            )
        if fault.startswith("slow "):
            time.sleep(float(fault.removeprefix("slow ")))
        made = f"{prefix}{secrets.token_hex(8)}0"
        self.write(made, token, state)
        if fault == "crash":
            os._exit(CRASHED)
        return made

    def write(self, made: str, token: str, state: Mapping[str, Any]) -> None:
        """Keep an object, whole."""
        if self._folder is None:
            return
        path = self._path(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        aside.write_text(json.dumps({"type": token, "state": state}))
        aside.replace(path)

    def read(self, made: str) -> dict[str, Any] | None:
        """The state of an object, None when it is gone (or nothing is kept)."""
        if self._folder is None:
            return None
        try:
            found: dict[str, Any] = json.loads(self._path(made).read_text())["state"]
        except FileNotFoundError:
            return None
        return found

    def drop(self, made: str) -> None:
        """End an object; one that is gone already is fine."""
        if self._folder is not None:
            self._path(made).unlink(missing_ok=True)

    def _path(self, made: str) -> Path:
        assert self._folder is not None
        return self._folder / "objects" / f"{made.replace('/', '_')}.json"

    def _fault(self, token: str) -> str:
        if self._folder is None:
            return ""
        try:
            return str(json.loads((self._folder / "faults.json").read_text()).get(token, ""))
        except FileNotFoundError:
            return ""
