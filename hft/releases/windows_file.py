"""Files of latency windows, and the stored spread of restarts of one release: what the judge reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hft.errors import Exit, HftError
from inventory.bounded import read_bounded, reason_of
from release.judge import Calibration
from release.windows import BUCKET_MAX, QUANTILES, Restart, Window
from tuning.strict_json import ShapeError, Table, parse

SCHEMA = 1  # of the documents that `hft release` prints and reads
FILE_MAX = 512 << 20
LINE_MAX = 16 << 20


def read_restarts(path: Path) -> Iterator[Restart]:
    """The restarts of a file, one a line; HftError names the line that cannot be used."""
    try:
        lines = read_bounded(path, FILE_MAX).splitlines()
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error
    for number, line in enumerate(lines, start=1):
        try:
            yield _restart(Table.of(parse(line, size_max=LINE_MAX)))
        except ShapeError as error:
            raise HftError(Exit.BAD_INPUT, f"{path}: line {number}: {error}") from error


def _restart(table: Any) -> Restart:
    table.closed(("schema", "arm", "release", "windows")).integer("schema", least=SCHEMA, most=SCHEMA)
    arm = table.text("arm")
    if arm not in ("baseline", "candidate"):
        raise ShapeError(f"arm: expected baseline or candidate, got {json.dumps(arm)}")
    windows = []
    for row in table.rows("windows"):
        counts = row.closed(("intended", "counts")).table("counts")
        if any(not (key.isascii() and key.isdigit() and int(key) < BUCKET_MAX) for key in counts.fields):
            raise ShapeError(f"counts: a bucket is a number below {BUCKET_MAX}")
        found = {int(key): counts.integer(key) for key in counts.fields}
        windows.append(Window(intended=row.integer("intended"), counts=found))
    return Restart(arm=arm, release=table.text("release"), windows=tuple(windows))


def read_calibration(path: Path) -> Calibration:
    """A stored A/A spread; HftError when it is none."""
    try:
        table = Table.of(parse(read_bounded(path, 1 << 20)))
        table.integer("schema", least=SCHEMA, most=SCHEMA)
        spread = table.table("spread").fields
        values = {name: value for name, value in spread.items() if isinstance(value, float) and value >= 0}
        if set(values) != set(QUANTILES):
            raise ShapeError(f"spread: expected numbers for {', '.join(QUANTILES)}")
        return Calibration(
            release=table.text("release"), restarts=table.integer("restarts", least=10), spread=values
        )
    except ShapeError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: {error}") from error
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error
