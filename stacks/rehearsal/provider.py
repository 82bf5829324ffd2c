"""The dynamic provider of the file objects: what Pulumi asks, in terms of `objects.py`.

It lives in an installed module, so that the state holds its name and not its code; it says what is a change,
because the SDK's default would replace; what it reads back is what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from stacks.rehearsal import objects

INPUTS = ("folder", "name", "owner", "content", "place", "pause_s", "token")


class ItemProvider(ResourceProvider):
    """Create, read, update and delete of one object; a change of place is another object."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """A new object with a new id."""
        made = objects.create(
            Path(props["folder"]), props, owner=props["owner"], pause_s=float(props["pause_s"])
        )
        return CreateResult(id_=made.id, outs=_known(props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """By what the object is; how long it takes, and what is secret, are no change."""
        changed = [key for key in ("content", "place") if _olds.get(key) != _news.get(key)]
        moved = [key for key in changed if key == "place"]
        return DiffResult(changes=bool(changed) or _olds.get("ready") is False, replaces=moved)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What is there; an empty id when it is gone."""
        found = objects.read(Path(props["folder"]), id_)
        if found is None:
            return ReadResult(id_="", outs={})
        seen = {**_known(props), "content": found.content, "place": found.place, "ready": found.ready}
        return ReadResult(id_=id_, outs=seen)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """The same object with new content."""
        objects.update(Path(_news["folder"]), _id, _news["content"], pause_s=float(_news["pause_s"]))
        return UpdateResult(outs=_known(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Gone, however often it is asked for."""
        objects.delete(Path(_props["folder"]), _id, pause_s=float(_props["pause_s"]))


def _known(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in INPUTS if key in props}


class Item(Resource):
    """One object of the rehearsal's world."""

    def __init__(self, name: str, props: dict[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        super().__init__(ItemProvider(), name, props, opts)


# What the base class makes of keywords of the class; those cannot be checked where Pulumi is not installed.
Item._resource_type_name = "dynamic/hft:Item"
