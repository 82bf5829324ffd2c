"""`hft`: one command, loaded lazily so that `hft doctor` never pays for pyinfra's imports.

Each verb lives in a module of its own and is imported only when it is called. The wrapper turns a room's
error into its sentence and exit code (hft/errors.py), and Ctrl-C into 130.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import traceback
from typing import cast

import click
from click.utils import PacifyFlushWrapper

from hft.errors import Exit, exit_code_of

# A verb that lives half a second makes little garbage: 700 objects, CPython's default, is a search through
# all modules again and again while they load. pydantic reads the metadata of every installed package to find
# plugins; ours has none.
GC_THRESHOLD = 50_000

# verb -> (module, attribute, one-line help). The help is here so that `hft --help` imports nothing.
VERBS: dict[str, tuple[str, str, str]] = {
    "apply": (
        "hft.applying",
        "apply",
        "Apply the plan to hosts, with a trial boot where it changes the boot.",
    ),
    "check": ("hft.checking", "check", "Prove by effect that hosts meet their plan."),
    "demo": ("hft.demo", "demo", "The whole loop on the lab: untuned, tuned, proven, poisoned, back."),
    "doctor": (
        "hft.planning",
        "doctor",
        "Look at this Linux machine: topology, the plan it would get, what works against it.",
    ),
    "drill": ("hft.drill", "drill", "Seeded faults against the loop: cuts, poisons, kills."),
    "engine": (
        "hft.engine_verbs",
        "engine",
        "Build our trading engine; judge any firm's by its contract.",
    ),
    "host": ("hft.hosts", "host", "Enrol hosts: host key, machine identity."),
    "init": ("hft.hosts", "init", "Write an example inventory."),
    "lab": ("hft.lab_verbs", "lab", "The lab: real kernels in VMs on this machine."),
    "plan": ("hft.planning", "plan", "Print the plan of a host or a captured tree."),
    "recover": ("hft.recovering", "recover", "Undo what was cut off or left half undone on a host."),
    "revert": ("hft.applying", "revert", "Undo the last applied change of a host."),
    "snapshot": ("hft.planning", "snapshot", "Capture what the planner reads."),
    "status": ("hft.status", "status", "Where every host stands, in two seconds."),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(verb, VERBS[verb][2]) for verb in sorted(VERBS)])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="hft-infra", prog_name="hft")
def cli() -> None:
    """Plan, apply, trial-boot and prove a low-latency trading fleet.

    Exit codes: 0 ok, 1 internal, 2 bad input, 3 changes pending, 4 unverifiable, 5 violated, 6 rolled back,
    7 unreachable, 8 locked, 9 not judged (this machine was too busy), 10 half undone, 130 interrupted.
    """


def main() -> None:
    """Entry point of the console script; never shows a traceback for a user's mistake."""
    gc.set_threshold(GC_THRESHOLD)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a run that is ended closes its record, as after Ctrl-C
        signal.signal(number, signal.default_int_handler)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(run_guarded())


def run_guarded(args: list[str] | None = None) -> int:
    """Run `hft` with ARGS (default: sys.argv) and return its exit code."""
    try:
        result = cli.main(args=args, prog_name="hft", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Exit.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("hft: interrupted", err=True)
        return Exit.INTERRUPTED
    except SystemExit:
        if not isinstance(sys.stdout, cast("type[object]", PacifyFlushWrapper)):
            raise
        return Exit.OK  # click saw the reader leave: that is no failure of what was asked for
    except Exception as error:  # a room's error has a sentence, anything else is ours
        code = exit_code_of(error)
        if code is not None:
            click.echo(f"hft: {error}", err=True)
            return code
        traceback.print_exc()
        click.echo("hft: internal error, please report it with the lines above", err=True)
        return Exit.INTERNAL
    return int(result) if isinstance(result, int) else Exit.OK
