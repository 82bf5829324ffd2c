"""The program: one resource for each object of the graph."""

from __future__ import annotations

from typing import Any

import pulumi

from stacks.rehearsal.graph import graph_of
from stacks.rehearsal.provider import Item


def main() -> None:
    """Read the settings, register the objects, export their ids."""
    config = pulumi.Config()
    made: dict[str, Item] = {}
    try:
        wanted = graph_of(config.require("graph"))
    except ValueError as error:
        raise pulumi.RunError(str(error)) from error
    for one in wanted:
        props: dict[str, Any] = {
            **{"folder": config.require("directory"), "owner": pulumi.get_stack()},
            **{"name": one.name, "content": one.content, "place": one.place},
            **{"pause_s": config.require("pause"), "token": config.get_secret("token")},
        }
        needs = [made[name] for name in one.needs]
        options = pulumi.ResourceOptions(
            depends_on=needs, protect=one.keep, additional_secret_outputs=["token"]
        )
        made[one.name] = Item(one.name, props, options)
    pulumi.export("ids", {name: item.id for name, item in made.items()})
    pulumi.export("token", config.get_secret("token"))


main()
