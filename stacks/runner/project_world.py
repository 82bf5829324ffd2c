"""The world of a project that comes with this release: its module `world`, by the stack's settings."""

from __future__ import annotations

import importlib

from stacks.errors import StackError
from stacks.runner.place import Place, read_yaml, shipped
from stacks.runner.world import Settings, World


def plain_settings(place: Place) -> Settings:
    """The settings of a stack that are no secrets, with the project's defaults."""
    found: dict[str, str] = {}
    for key, about in (read_yaml(place.work / "Pulumi.yaml").get("config") or {}).items():
        if isinstance(about, dict) and "default" in about:
            found[f"{place.project}:{key}"] = str(about["default"])
    given = read_yaml(place.settings).get("config") or {} if place.settings.exists() else {}
    return {**found, **{key: str(value) for key, value in given.items() if not isinstance(value, dict)}}


def world_of(place: Place) -> World | None:
    """The world of a shipped project that has one; StackError when its settings do not say which."""
    if shipped().get(place.project) != place.source or not (place.source / "world.py").is_file():
        return None
    found = importlib.import_module(f"stacks.{place.project}.world")
    try:
        made: World = found.world(plain_settings(place), place.site)
    except KeyError as error:
        raise StackError(
            f"{place.project}: setting {error.args[0]} is missing; hint: --settings FILE"
        ) from error
    return made
