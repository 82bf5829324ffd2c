"""Where a site's rollout stands, kept durably: one file, changed by compare-and-swap.

A change is a function of what is kept. It is called with that, under a lock of the file, and what it returns
takes its place in one rename, on disk before anybody is told; what it raises changes nothing. Killed
anywhere, the file is the old or the new one. The lock is the kernel's (flock(2)): it frees itself.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hft.errors import Exit, HftError
from inventory.errors import StateError
from inventory.state_dir import open_shared, opened_folder, read_plain, replacing, state_root
from release.rollout import MOVES, STAGES, Moving, Rollout, RolloutError
from tuning.strict_json import ShapeError, Table, parse

SCHEMA = 1
SIZE_MAX = 1 << 20
Change = Callable[[Rollout | None], Rollout]


def kept_path(site: str) -> Path:
    """The file of a site."""
    return state_root() / "rollouts" / f"{site}.json"


def kept(site: str) -> Rollout | None:
    """What is kept of the site's rollout; None when there was none. StateError for a file that is none."""
    path = kept_path(site)
    try:
        return rollout_from(Table.of(parse(read_plain(path, SIZE_MAX))))
    except FileNotFoundError:
        return None
    except (OSError, ShapeError) as error:
        raise StateError(f"{path}: not a rollout: {error}; hint: look who changed it") from error


def change(site: str, make: Change) -> Rollout:
    """Let MAKE change what is kept; HftError when it refuses, StateError when it cannot be kept."""
    path = kept_path(site)
    try:
        lock = open_shared(path.with_suffix(".lock"), os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            after = make(kept(site))
            _keep(path, after)
        finally:
            os.close(lock)
    except RolloutError as error:
        raise HftError(Exit.BAD_INPUT, f"{site}: {error}") from error
    except OSError as error:
        hint = "hint: free space, or set HFT_STATE"
        raise StateError(f"{path}: the rollout cannot be kept: {error.strerror}; {hint}") from error
    return after


def _keep(path: Path, one: Rollout) -> None:
    with replacing(path) as descriptor:
        os.write(descriptor, json.dumps(document_of(one), sort_keys=True).encode())
        os.fsync(descriptor)
    os.close(descriptor)
    with opened_folder(path.parent, create=False) as folder:
        os.fsync(folder)


def document_of(one: Rollout) -> dict[str, Any]:
    """A rollout as documented JSON."""
    return {"schema": SCHEMA, **asdict(one)}


def rollout_from(table: Table) -> Rollout:
    """The rollout in a document; ShapeError names what is wrong with it."""
    keys = tuple(Rollout.__dataclass_fields__)
    table.closed(("schema", *keys)).integer("schema", least=SCHEMA, most=SCHEMA)
    moving = table.table_or_none("moving")
    return Rollout(
        revision=table.integer("revision", least=1),
        stage=_word(table, "stage", STAGES),
        since_s=table.integer("since_s"),
        spares=tuple(table.texts("spares")),
        moving=_moving(moving) if moving else None,
        **{
            key: table.text(key)
            for key in ("site", "candidate", "baseline", "slot", "back", "promoted_on", "held")
        },
    )


def _moving(table: Table) -> Moving:
    rows = table.fields.get("approved")
    if not isinstance(rows, list) or not all(_is_runs(row) for row in rows):
        raise ShapeError("approved: expected rows of three digests")
    return Moving(
        move=_word(table, "move", MOVES),
        to=table.text("to"),
        epoch_seen=table.integer("epoch_seen"),
        epoch=table.integer("epoch"),
        approved=tuple((row[0], row[1], row[2]) for row in rows),
    )


def _is_runs(row: object) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(isinstance(one, str) for one in row)


def _word(table: Table, key: str, known: tuple[Any, ...]) -> Any:
    found = table.text(key)
    if found not in known:
        raise ShapeError(f"{key}: {found!r} is none of {', '.join(known)}")
    return found


def facts_of(one: Rollout) -> Mapping[str, Any]:
    """What the run record says of it."""
    return {"stage": one.stage, "revision": one.revision, "candidate": one.candidate, "held": one.held}
