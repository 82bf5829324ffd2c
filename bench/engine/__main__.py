"""`python -m bench.engine`: run what was asked for and judge it; what proves nothing is called so.

Exit code 0 when everything asked for ran, whatever the verdicts; 5 with --gate when a goal was missed; 2 when
something it needs is missing, 1 when a program broke or a digest differed, 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from bench.engine.books import Books, bench_books
from bench.engine.children import programs_in
from bench.engine.latency import Hop, Latency, bench_hop, bench_latency
from bench.engine.layout import lay_out
from bench.engine.load_report import hdr_v2
from bench.engine.plot import draw
from bench.engine.report import print_report
from bench.engine.results import Results, goals, histograms, spans, to_dict
from bench.engine.rig import Rig, open_rig
from bench.engine.risk import Risk, bench_risk
from bench.engine.sizes import FULL, QUICK, Sizes
from bench.engine.sustained import Sustained, bench_sustained
from bench.engine.verdict import BenchOutcome
from bench.errors import GOAL_MISSED, BenchError, UnableError
from bench.measure import machine, machine_line
from bench.program import run_to_exit_code, tell
from engine.toolchain.build import BuildError, release_build

PARTS = ("book", "risk", "latency", "hop", "sustained")
DEFAULT_OUT = Path.home() / ".cache" / "hft" / "bench-engine"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only this part; may be repeated.")
@click.option("--quick", is_flag=True, help="Small and without spinning: it runs and loses nothing, no more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--gate", is_flag=True, help="Exit 5 when a goal was missed.")
@click.option("--build", type=click.Path(path_type=Path), help="A finished Release build to take.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True,
    help="Where figures, HDR histograms and the plot go.",
)  # fmt: skip
def bench(  # noqa: PLR0913  # one parameter for each option
    *, only: tuple[str, ...], quick: bool, as_json: bool, gate: bool, build: Path | None, out: Path
) -> int:
    """Time the engine: book, risk rules, latency above a relay, the gateway's hop, a minute at a high rate.

    \b
    Examples:
      python -m bench.engine
      python -m bench.engine --quick
      python -m bench.engine --only risk
      python -m bench.engine --only latency --only hop --json >engine.json
    """
    before = machine()
    tell(f"machine: {machine_line()}")
    results = measure(only or PARTS, QUICK if quick else FULL, programs_in(build or native_build()))
    facts = {**before, "load_1min_after": round(os.getloadavg()[0], 2), "quick": quick}
    document = json.dumps(to_dict(results, facts), indent=2)
    keep(results, document, out)
    if as_json:
        print(document)
    else:
        console = Console()
        console.print(
            f"[bold]machine[/bold]  {machine_line()}; load {before['load_1min']} before", soft_wrap=True,
            highlight=False,
        )  # fmt: skip
        print_report(results, console)
        console.print(f"[bold]kept in[/bold]  {out}", soft_wrap=True, highlight=False)
    missed = any(goal.verdict is BenchOutcome.MISSED for goal in goals(results))
    return GOAL_MISSED if gate and missed else 0


def native_build() -> Path:
    """The release build, made now if it is not there."""
    try:
        return release_build(tell)
    except BuildError as error:
        raise BenchError(str(error)) from error


def measure(parts: tuple[str, ...], sizes: Sizes, programs: Path) -> Results:
    """Run the parts, those that want a quiet machine before the one that heats it for minutes."""
    layout = lay_out(os.sched_getaffinity(0), spins=sizes.spins)
    books: Books | None = None
    risk: Risk | None = None
    latency: Latency | None = None
    hop: Hop | None = None
    sustained: Sustained | None = None
    with ExitStack() as stack:
        if "book" in parts:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hft-bench-"))
            books = bench_books(programs, sizes, Path(folder), tell)
        if "risk" in parts:
            risk = bench_risk(programs, sizes.risk, tell)
        if set(parts) & {"latency", "hop", "sustained"}:
            rig: Rig = stack.enter_context(open_rig(programs, layout))
            latency = bench_latency(rig, sizes, tell) if "latency" in parts else None
            hop = bench_hop(rig, sizes, tell) if "hop" in parts else None
            sustained = bench_sustained(rig, sizes, tell) if "sustained" in parts else None
    return Results(layout=layout, books=books, risk=risk, latency=latency, hop=hop, sustained=sustained)


def keep(results: Results, document: str, out: Path) -> None:
    """The document, every histogram in HDR V2, and the plot."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "engine.json").write_text(document + "\n")
    by_label = histograms(results)
    for label, histogram in by_label.items():
        (out / f"{label}.hdr").write_bytes(hdr_v2(histogram))
    curves = {label: histogram.counts_by_top() for label, histogram in by_label.items()}
    curves |= {name: span.tops() for name, span in spans(results).items()}
    if not curves:
        return
    try:
        draw(curves, f"Latency by percentile; {machine_line()}", out / "latency.svg")
    except UnableError as error:  # figures that took minutes are worth more than their picture
        tell(str(error))


if __name__ == "__main__":
    sys.exit(run_to_exit_code(bench, gone="programs"))
