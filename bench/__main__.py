"""`python -m bench`: run what was asked for and report it; a missed goal is said, not hidden.

Exit code 0 when everything asked for was measured, 5 with --gate when a goal was missed, 2 when something it
needs is missing, 1 when a tool failed or could not earn its figure, 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from bench.errors import GOAL_MISSED
from bench.lab import bench_lab
from bench.noop import TOOLS, bench_noop
from bench.planning import bench_doctor, bench_planner
from bench.program import run_to_exit_code, tell
from bench.report import Results, goals, print_report, to_dict

PARTS = ("planner", "doctor", "noop", "lab")
# What takes milliseconds is repeated more often: it costs nothing and steadies the median.
QUICK_RUNS_MIN = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runs", type=click.IntRange(1, 100), default=5, show_default=True, help="Timed runs of each tool."
)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only this part; may be repeated.")
@click.option("--tool", type=click.Choice(tuple(TOOLS)), multiple=True, help="In noop, only this tool.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--list", "as_list", is_flag=True, help="Also print the settings that were compared.")
@click.option("--gate", is_flag=True, help="Exit 5 when a goal was missed.")
def bench(  # noqa: PLR0913  # one parameter for each option
    *, runs: int, only: tuple[str, ...], tool: tuple[str, ...], as_json: bool, as_list: bool, gate: bool
) -> int:
    """Time hft beside plain pyinfra and ansible-core, the planner on 1,024 CPUs, and hft doctor.

    \b
    Examples:
      make bench
      python -m bench --only planner --only doctor
      python -m bench --only noop --tool ours --runs 10
      python -m bench --json >bench.json
    """
    results = measure(runs, only or PARTS, tool or tuple(TOOLS))
    if as_json:
        print(json.dumps(to_dict(results), indent=2))
    else:
        console = Console()
        if as_list and results.noop:
            for knob in results.noop.knobs:
                console.print(f"{knob.kind:<7}{knob.path}", soft_wrap=True, highlight=False)
        print_report(results, console)
    return GOAL_MISSED if gate and not all(goal.is_met for goal in goals(results)) else 0


def measure(runs: int, parts: tuple[str, ...], tools: tuple[str, ...]) -> Results:
    """Run the parts, the quick ones first."""
    quick = max(runs, QUICK_RUNS_MIN)
    return Results(
        planner=bench_planner(quick, tell) if "planner" in parts else None,
        doctor=bench_doctor(runs, tell) if "doctor" in parts else None,
        noop=bench_noop(runs, tell, tools) if "noop" in parts else None,
        lab=bench_lab(runs, tell) if "lab" in parts else None,
    )


if __name__ == "__main__":
    sys.exit(run_to_exit_code(bench, gone="targets"))
