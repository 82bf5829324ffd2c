"""Judging one order beside none, a thousand and ten thousand open ones: native program, side by side.

The program keeps its orders, their prices and the recent ones as the engine does, asks every rule for wishes
that none of them refuses, and times blocks of calls. What must not grow with the open orders is the judging;
`book` is what an order costs besides: into the tables and out again, which may grow as a logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine.children import output_of
from bench.engine.figures import Spread, Tell
from bench.engine.sizes import RiskSize
from bench.errors import BenchError

_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRow:
    """Costs beside so many open orders, in ns; each run gives one median."""

    open: int
    judge_ns: Spread
    judge_p99_ns: float  # the least of the runs: the others were disturbed
    book_ns: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Everything of this part, by open orders."""

    size: RiskSize
    rows: tuple[RiskRow, ...]
    stolen_max: float


def bench_risk(programs: Path, size: RiskSize, tell: Tell) -> Risk:
    """As many runs as asked for; every run goes through all numbers of open orders."""
    argv: list[str | Path] = [programs / "hft-risk-bench", "--json", "--calls", str(size.calls)]
    for count in size.open:
        argv += ["--open", str(count)]
    runs = []
    for turn in range(size.runs):
        runs.append(output_of(argv, _TIMEOUT_S))
        last = runs[-1]["rows"][-1]
        told = f"{last['judge_ns']:.0f} ns beside {last['open']:,} open orders"
        tell(f"risk: run {turn + 1} of {size.runs}: {told}")
    return risk_of(runs, size)


def risk_of(runs: list[dict[str, Any]], size: RiskSize) -> Risk:
    """What the runs amount to; BenchError when one of them did not measure what was asked for."""
    by_run = [{int(row["open"]): row for row in run["rows"]} for run in runs]
    if any(tuple(rows) != size.open for rows in by_run):
        seen = sorted({tuple(rows) for rows in by_run})
        raise BenchError(f"hft-risk-bench measured beside {seen} open orders, not {size.open}")
    return Risk(
        size=size,
        rows=tuple(_row(count, [rows[count] for rows in by_run]) for count in size.open),
        stolen_max=max(float(row["stolen"]) for rows in by_run for row in rows.values()),
    )


def _row(count: int, rows: list[Mapping[str, Any]]) -> RiskRow:
    return RiskRow(
        open=count,
        judge_ns=Spread.of([float(row["judge_ns"]) for row in rows]),
        judge_p99_ns=min(float(row["judge_p99_ns"]) for row in rows),
        book_ns=Spread.of([float(row["book_ns"]) for row in rows]),
    )
