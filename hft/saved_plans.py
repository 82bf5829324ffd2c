"""What `hft plan -o FILE` saves and `hft apply FILE` carries out: plan and pending changes of each host.

The file is bound to what was seen: to the machine of each host, to its topology, and to each change with the
values that it found. A host on which any of that is different now is refused by name; where everything has
been applied since, there is nothing to do. The digest over the whole shows an edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploys.errors import RefusedError
from deploys.tune.changes import Change
from deploys.tune.host_changes import HostChanges
from inventory.bounded import read_bounded, reason_of
from inventory.errors import InventoryError
from transport.hint import command
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.strict_json import ShapeError, Table, parse

SIZE_MAX = 256 << 20  # a thousand hosts
SCHEMA = 1
KIND = "plans"
NAMED_MOST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """One host of a file."""

    host: str
    machine_id: str
    plan: Plan
    pending: frozenset[tuple[str, str]]  # key, digest

    def refuse_other(self, changes: HostChanges, topology_digest: str) -> None:
        """RefusedError where the host is not what the plan was saved of, and naming in what."""
        name = changes.host.name
        again = f"save it again: {command('plan', '--limit', name, '-o', 'FILE')}"
        if changes.host.machine_id != self.machine_id:
            raise RefusedError(name, "its plan was saved of another machine", hint=again)
        if topology_digest != self.plan.topology_digest:
            raise RefusedError(name, "its topology is another than when its plan was saved", hint=again)
        now = {(item.key, digest_of(item)) for item in changes.pending}
        if changes.is_staged or not now or now == self.pending:
            return
        keys = sorted({key for key, _ in now ^ self.pending})
        more = f" and {len(keys) - NAMED_MOST} more" if len(keys) > NAMED_MOST else ""
        said = f"{', '.join(keys[:NAMED_MOST])}{more}: not as when its plan was saved"
        raise RefusedError(name, said, hint=again)


def digest_of(item: Change) -> str:
    """SHA-256 of what a change does and what it found."""
    text = json.dumps([item.concern, item.key, item.mode, item.steps], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def document_of(site: str, works: Sequence[HostChanges], *, at: str, by: str) -> dict[str, Any]:
    """The document of a file."""
    body = {"schema": SCHEMA, "kind": KIND, "site": site, "at": at, "by": by}
    body |= {"hosts": [_host(work) for work in works]}
    return body | {"digest": _digest(body)}


def _host(work: HostChanges) -> dict[str, Any]:
    pending = [
        {
            "concern": item.concern,
            "key": item.key,
            "mode": item.mode,
            "sentence": item.sentence,
            "why": item.why,
            "digest": digest_of(item),
        }
        for item in work.pending
    ]
    return {
        "host": work.host.name,
        "machine_id": work.host.machine_id,
        "pending": pending,
        "plan": json.loads(work.plan.to_json()),
    }


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path, site: str) -> dict[str, SavedPlan]:
    """Host -> what was saved of it; InventoryError for one that is none, edited or another site's."""
    try:
        table = Table.of(parse(read_bounded(path, SIZE_MAX), size_max=SIZE_MAX))
        if repr(table.fields.get("schema")) != repr(SCHEMA) or table.fields.get("kind") != KIND:
            raise InventoryError(f"{path}: no file of saved plans (expected schema {SCHEMA}, kind {KIND!r})")
        body = {key: value for key, value in table.fields.items() if key != "digest"}
        if table.text("digest") != _digest(body):
            raise InventoryError(f"{path}: was edited: its digest is not that of its content")
        if table.text("site") != site:
            raise InventoryError(f"{path}: was saved of site {table.text('site')}, this is {site}")
        found = [_saved(Table.of(one)) for one in _list(table.fields.get("hosts"))]
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"{path}: cannot be read: {reason_of(error)}") from error
    except (ShapeError, PlanError) as error:
        raise InventoryError(f"{path}: no file of saved plans: {error}") from error
    return {one.host: one for one in found}


def _saved(entry: Table) -> SavedPlan:
    pending = [Table.of(one) for one in _list(entry.fields.get("pending"))]
    return SavedPlan(
        host=entry.text("host"),
        machine_id=entry.text("machine_id"),
        plan=Plan.from_json(json.dumps(entry.fields.get("plan"))),
        pending=frozenset((one.text("key"), one.text("digest")) for one in pending),
    )


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ShapeError(f"expected a list, got {type(value).__name__}")
    return value
