"""The enrolment file: the identity of each machine, kept beside the inventory as `NAME.enrolled.json`.

The inventory is written by a person; the enrolment records what was found on the machine whose host key
fingerprint that person obtained out of band (the console, the installer's log). It is a separate file so that
a tool can write it without editing Python, and beside the inventory so that both are reviewed and versioned
together. It is replaced atomically (temporary file, fsync, rename, fsync of the directory).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inventory.bounded import read_bounded
from inventory.errors import InventoryError
from inventory.model import Identity, Site
from inventory.validation_message import explain
from tuning.strict_json import bounded, parse

SIZE_MAX, VALUES_MAX = 8 * 1024 * 1024, 400_000
_HINT = "repair it, or delete it and enrol the hosts again"


class Enrolled(BaseModel):
    """One host's entry: its identity, and who recorded it, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: Identity
    at: Annotated[str, Field(max_length=40)]
    by: Annotated[str, Field(max_length=200)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal[1] = Field(alias="schema")
    hosts: dict[str, Enrolled]


def enrolment_path(inventory: Path) -> Path:
    """`site.py` -> `site.enrolled.json`, in the same directory."""
    return inventory.with_name(f"{inventory.stem}.enrolled.json")


def read_enrolled(inventory: Path) -> dict[str, Enrolled]:
    """Everything enrolled beside an inventory; empty when there is no file."""
    path = enrolment_path(inventory)
    data: object = None
    try:
        data = bounded(parse(read_bounded(path, SIZE_MAX)), values_max=VALUES_MAX)
        return _File.model_validate(data).hosts
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        said = explain(error, data)[0] if isinstance(error, ValidationError) else str(error)[:200]
        raise InventoryError(f"{path}: not an enrolment file: {said}; hint: {_HINT}") from error


def with_enrolled(site: Site, inventory: Path) -> Site:
    """The site with the identities enrolled beside its inventory file."""
    return _joined(site, inventory, read_enrolled(inventory))


def check_enrolled(
    site: Site, inventory: Path, name: str, entry: Enrolled, *, beside: Mapping[str, Enrolled] | None = None
) -> None:
    """Refuse an entry that would make the inventory unusable, such as the machine-id of another host.

    BESIDE are entries that are about to be recorded with it.
    """
    bare = tuple(host.model_copy(update={"identity": None}) for host in site.hosts)
    others = read_enrolled(inventory) | dict(beside or {})
    _joined(site.model_copy(update={"hosts": bare}), inventory, others | {name: entry})


def _joined(site: Site, inventory: Path, enrolled: dict[str, Enrolled]) -> Site:
    hosts = []
    for host in site.hosts:
        entry = enrolled.get(host.name)
        if entry is not None and host.identity is not None and host.identity != entry.identity:
            raise InventoryError(
                f"{inventory}: host {host.name!r} has an identity here and a different one in "
                f"{enrolment_path(inventory)}; hint: delete one of them"
            )
        hosts.append(host if entry is None else host.model_copy(update={"identity": entry.identity}))
    try:
        return Site.model_validate(dict(site) | {"hosts": tuple(hosts)})
    except ValidationError as error:
        raise InventoryError(f"{enrolment_path(inventory)}: {explain(error, None)[0]}") from error


def write_enrolled(inventory: Path, name: str, entry: Enrolled) -> Path:
    """Record one host durably and return the file's path; other entries are unchanged."""
    return write_all_enrolled(inventory, {name: entry})


def write_all_enrolled(inventory: Path, entries: Mapping[str, Enrolled]) -> Path:
    """The same for many hosts: all of them or, where it fails, none."""
    path = enrolment_path(inventory)
    hosts = read_enrolled(inventory) | dict(entries)
    body = {"schema": 1, "hosts": {key: hosts[key].model_dump(mode="json") for key in sorted(hosts)}}
    try:
        write_whole(path, (json.dumps(body, indent=1) + "\n").encode())
    except OSError as error:
        raise InventoryError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Put DATA at PATH, durably: readers see the old file or the new one; OSError leaves the old one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
