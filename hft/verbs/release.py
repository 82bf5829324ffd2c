"""`hft release`: whether a release may go on. `judge` and `calibrate` read files of latency windows.

Exit codes of `judge`: 0 PASS, 5 FAIL, 4 INCONCLUSIVE, 2 REFUSED or files that cannot be used.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.release_approve import approve
from hft.verbs.release_certificate import sign, verify
from hft.verbs.release_freeze import freeze
from hft.verbs.release_rollout import hold, next_step, plan, rollback, status
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from release.judge import Judgement

SCHEMA = 1  # of the documents that `hft release` prints and reads
_EXITS = {
    "PASS": Exit.OK,
    "FAIL": Exit.VIOLATED,
    "INCONCLUSIVE": Exit.UNVERIFIABLE,
    "REFUSED": Exit.BAD_INPUT,
}


@click.group()
def release() -> None:
    """Certify a release, roll it out step by step, judge it, take it back at once; keep freezes."""


for verb in (sign, verify, freeze, plan, next_step, status, hold, rollback, approve):
    release.add_command(verb)


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
    from hft.releases.windows_file import read_calibration, read_restarts
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
    from hft.releases.windows_file import read_restarts
    from release.judge import calibrate as calibrated

    try:
        found = calibrated(list(read_restarts(file)))
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, f"{file}: {error}") from error
    tell_document({"schema": SCHEMA, **asdict(found)})
    return Exit.OK
