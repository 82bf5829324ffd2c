"""The dynamic provider of lab hosts: what Pulumi asks, in terms of `hosts.py`.

It lives in an installed module, so that the state holds its name and not its code.
"""

from __future__ import annotations

from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from stacks.lab import hosts


class LabHostProvider(ResourceProvider):
    """One VM of a lab."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refused before anything is made."""
        said = hosts.fault(news)
        return CheckResult(news, [CheckFailure("name", said)] if said else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """A host that runs."""
        id_, outs = hosts.create(props)
        return CreateResult(id_=id_, outs=outs)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """By what the machine is; it is deleted first, because its name and its number are taken."""
        changed, replaces = hosts.changes(_olds, _news)
        return DiffResult(changes=bool(changed), replaces=list(replaces), delete_before_replace=True)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What is there."""
        found = hosts.read(id_, props)
        return ReadResult(id_=hosts.GONE if found is None else id_, outs=found or {})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """The same machine, in another shape or running again."""
        return UpdateResult(outs=hosts.update(_id, _olds, _news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Gone."""
        hosts.delete(_id, _props)


class LabHost(Resource):
    """A host of a lab; `host` is its entry in an inventory."""

    host: Output[dict[str, Any]]

    def __init__(self, name: str, props: dict[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        super().__init__(LabHostProvider(), name, {**props, "host": None}, opts)


LabHost._resource_type_name = "dynamic/hft:LabHost"
