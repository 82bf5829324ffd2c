"""`hft release`: whether a release may go on. `judge` and `calibrate` read files of latency windows.

Exit codes of `judge`: 0 PASS, 5 FAIL, 4 INCONCLUSIVE, 2 REFUSED or files that cannot be used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.release_certificate import sign, verify
from hft.verbs.release_freeze import freeze
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from release.judge import Calibration, Judgement
    from release.windows import Restart

SCHEMA = 1  # of the documents that `hft release` prints and reads
FILE_MAX = 512 << 20
LINE_MAX = 16 << 20
_EXITS = {
    "PASS": Exit.OK,
    "FAIL": Exit.VIOLATED,
    "INCONCLUSIVE": Exit.UNVERIFIABLE,
    "REFUSED": Exit.BAD_INPUT,
}


@click.group()
def release() -> None:
    """Certify a release, verify it, judge its latency against the one that runs now, keep freezes."""


release.add_command(sign)
release.add_command(verify)
release.add_command(freeze)


@release.command(
    epilog="""\b
Examples:
  hft release calibrate same-release-twice.jsonl > spread.json
  hft release judge canary.jsonl --calibration spread.json
  hft release judge canary.jsonl --calibration spread.json --json | jq -r .outcome

\b
Each line of FILE is one restart, in the order in which they ran (ABBA, A is the baseline):
  {"schema":1,"arm":"baseline","release":"sha256:..","windows":[{"intended":2000,"counts":{"1724":12,..}},..]}
A window is a second; `counts` are buckets of the engine's metrics page, recorded from the intended time.
Exit codes: 0 PASS, 5 FAIL, 4 INCONCLUSIVE (run more restarts, at the end hold), 2 REFUSED.
How it judges: docs/release.md.
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--calibration", required=True, type=click.Path(path_type=Path), metavar="PATH",
    help="What `hft release calibrate` printed on these machines.",
)  # fmt: skip
@options.JSON
def judge(file: Path, calibration: Path, as_json: bool) -> int:
    """Non-inferiority of p50, p99 and p99.9 over restarts, and a count of windows that explode."""
    from release.judge import judge as judged

    found = judged(list(read_restarts(file)), read_calibration(calibration))
    if as_json:
        tell_document({"schema": SCHEMA, **asdict(found)})
    else:
        _show(found)
    return _EXITS[found.outcome]


def _show(found: Judgement) -> None:
    from hft.views.table import show_table

    style: Any = {"PASS": "green", "FAIL": "red"}.get(found.outcome, "yellow")
    tell(Styled(found.outcome, style), f" {found.code}: {found.reason}")
    rows = [
        (one.quantile, f"{one.estimate:+.2%}", f"{one.lower:+.2%}", f"{one.upper:+.2%}", f"{one.margin:.0%}")
        for one in found.bounds
    ]
    if rows:
        show_table(("quantile", "difference", "lower", "upper", "margin"), rows, right=(1, 2, 3, 4))
        tell(f"windows above the ceiling: baseline {found.breaches[0]}, candidate {found.breaches[1]}")


@release.command(
    epilog="""\b
Example:
  hft release calibrate same-release-twice.jsonl > spread.json

\b
FILE has at least 10 restarts of one release, whatever their arms. The judge refuses margins inside their
spread.
"""
)
@click.argument("file", type=click.Path(path_type=Path))
def calibrate(file: Path) -> int:
    """Print the spread of restarts of one release on these machines, for --calibration."""
    from release.judge import calibrate as calibrated

    try:
        found = calibrated(list(read_restarts(file)))
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, f"{file}: {error}") from error
    tell_document({"schema": SCHEMA, **asdict(found)})
    return Exit.OK


def read_restarts(path: Path) -> Iterator[Restart]:
    """The restarts of a file, one a line; HftError names the line that cannot be used."""
    from inventory.bounded import read_bounded, reason_of
    from tuning.strict_json import ShapeError, Table, parse

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
    from release.windows import BUCKET_MAX, Restart, Window
    from tuning.strict_json import ShapeError

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
    from inventory.bounded import read_bounded, reason_of
    from release.judge import Calibration
    from release.windows import QUANTILES
    from tuning.strict_json import ShapeError, Table, parse

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
