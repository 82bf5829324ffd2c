"""What is read of a stack without the engine: its state, how its last run ended, its outputs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stacks.errors import StackError, UnsettledError
from stacks.runner.checkpoint import outputs_in
from stacks.runner.mend import look
from stacks.runner.place import Place

MARK = "4dabf18193072939515e22adb298388d"  # the key under which a state keeps a value encrypted


def recover_command(place: Place) -> str:
    """What settles a run that was cut off."""
    return f"hft stack recover {place.project} --site {place.site}"


def recover_hint(place: Place) -> str:
    """What to do about a run that was cut off."""
    return f"hint: {recover_command(place)}"


class Recording:
    """Writes beside the state that a run began and how it ended: outputs are only a good run's."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self._path, self._facts = path, facts

    def __enter__(self) -> None:
        self._write("running")

    def __exit__(self, kind: object, *_: object) -> None:
        self._write("failed" if kind else "done")

    def _write(self, state: str) -> None:
        aside = self._path.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"schema": 1, **self._facts, "state": state}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)


def versions(engine: str) -> dict[str, str]:
    """What wrote a state."""
    return {"engine": engine, "sdk": version("pulumi"), "python": platform.python_version()}


def last_run(place: Place) -> dict[str, str]:
    """Of the last run: verb, state (running, failed, done), engine, sdk, python; nothing of none."""
    try:
        return {key: str(value) for key, value in dict(json.loads(place.record.read_text())).items()}
    except (OSError, ValueError, TypeError):
        return {}


def read_deployment(place: Place) -> dict[str, Any]:
    """The state of a stack, from the engine's own file; UnsettledError when the engine could not read it."""
    decided = look(place)
    if not decided.is_empty:
        raise UnsettledError(
            f"{place.who}: the state cannot be read: {'; '.join(decided.why)}; {recover_hint(place)}"
        )
    if not place.checkpoint.exists():
        return {}
    latest = json.loads(place.checkpoint.read_bytes())["checkpoint"]["latest"]
    return dict(latest) if latest else {}


def outputs_of(place: Place) -> dict[str, Any]:
    """The outputs of the last good run, secrets as `[secret]`; StackError after a run that did not end well.

    A failed run says that outputs were removed while the state keeps the old ones, so neither is believed.
    """
    if not place.checkpoint.exists():
        raise StackError(
            f"{place.project}: there is no stack for site {place.site}; "
            f"hint: hft stack up {place.project} --site {place.site}"
        )
    last = last_run(place)
    state, verb = last.get("state", "of unknown end"), last.get("verb", "run")
    if state != "done":
        raise UnsettledError(
            f"{place.who}: the last {verb} is {state}, so its outputs are void; "
            f"{recover_hint(place)}, then up"
        )
    return {key: masked(value) for key, value in outputs_in(read_deployment(place)).items()}


def masked(value: Any) -> Any:
    """A value of a state with its secrets taken out."""
    if isinstance(value, dict):
        if MARK in value:
            return "[secret]"
        return {key: masked(one) for key, one in value.items()}
    return [masked(one) for one in value] if isinstance(value, list) else value
