"""`hft`: one command, loaded lazily so that `hft doctor` never pays for pyinfra's imports.

Each verb lives in a module of its own and is imported only when it is called. The wrapper turns a room's
error into its sentence and exit code (hft/errors.py), and Ctrl-C into 130 (hft/__main__.py: any signal).
"""

from __future__ import annotations

import gc
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import click
from click.utils import PacifyFlushWrapper
from typing_extensions import override

from hft.errors import Exit, HftError, HostsError, exit_code_of, is_homeless, line_of
from hft.run_trace import be_verbose, begin
from inventory.suggest import nearest
from transport.hint import use_inventory
from transport.show import forget_documents, is_document_told, tell, tell_document

# A verb that lives half a second makes little garbage: 700 objects, CPython's default, is a search through
# all modules again and again while they load. pydantic reads the metadata of every installed package to find
# plugins; ours has none.
GC_THRESHOLD = 50_000

# verb -> (module, attribute, one-line help). The help is here so that `hft --help` imports nothing.
VERBS: dict[str, tuple[str, str, str]] = {
    "apply": (
        "hft.verbs.apply",
        "apply",
        "Apply the plan to hosts, with a trial boot where it changes the boot.",
    ),
    "audit": ("hft.verbs.audit", "audit_group", "Sign and verify the run record of a site."),
    "baseline": (
        "hft.verbs.baseline",
        "baseline",
        "What was counted before tuning, after it, and what was accepted.",
    ),
    "check": ("hft.verbs.check", "check", "Prove by effect that hosts meet their plan."),
    "clock": (
        "hft.verbs.clock",
        "clock",
        "Where a host's time comes from: its daemons, whether it is right, and the evidence.",
    ),
    "completion": ("hft.verbs.completion", "completion", "Complete verbs, options and hosts in a shell."),
    "demo": ("hft.verbs.demo", "demo", "The whole loop on the lab: untuned, tuned, proven, poisoned, back."),
    "diff": ("hft.verbs.past", "diff", "How two runs, or two hosts, differ."),
    "doctor": (
        "hft.verbs.plan",
        "doctor",
        "Look at this Linux machine: topology, the plan it would get, what works against it.",
    ),
    "drill": ("hft.verbs.drill", "drill", "Seeded faults against the loop: cuts, poisons, kills."),
    "engine": (
        "hft.verbs.engine",
        "engine",
        "Build our trading engine; judge any firm's by its contract.",
    ),
    "failover": (
        "hft.verbs.failover",
        "failover",
        "Move trading between engines; two never trade at once.",
    ),
    "explain": ("hft.verbs.explain", "explain", "What a setting, reason, code or verdict means."),
    "gate": ("hft.verbs.gate", "gate", "The list for a key that reaches only a host's agent."),
    "history": ("hft.verbs.past", "history", "What was done here, by whom, and how it ended."),
    "host": ("hft.verbs.host", "host", "Enrol hosts: host key, machine identity."),
    "init": ("hft.verbs.host", "init", "Write an example inventory."),
    "inventory": ("hft.verbs.inventory", "inventory", "Sign and verify inventories; hand them to Ansible."),
    "lab": ("hft.verbs.lab", "lab", "The lab: real kernels in VMs on this machine."),
    "manual": ("hft.verbs.manual", "manual", "Write a man page for every command."),
    "monitoring": (
        "hft.verbs.monitoring",
        "monitoring",
        "Alerts with their budgets; what Prometheus and the Alertmanager pair run with.",
    ),
    "plan": ("hft.verbs.plan", "plan", "Print the plan of a host or a captured tree."),
    "recover": ("hft.verbs.undo", "recover", "Undo what was cut off or left half undone on a host."),
    "release": ("hft.verbs.release", "release", "Judge a release by its latency."),
    "remove": ("hft.verbs.undo", "remove", "Take the agent, its units and its state off a host."),
    "revert": ("hft.verbs.undo", "revert", "Undo the last applied change of a host."),
    "show": ("hft.verbs.past", "show", "One run: who, when, why, and how each host ended."),
    "site": ("hft.verbs.site", "site", "Which site is used where none is named, and where things are kept."),
    "snapshot": ("hft.verbs.plan", "snapshot", "Capture what the planner reads."),
    "stack": (
        "hft.verbs.stack",
        "stack",
        "Create and destroy hosts by Pulumi's engine; settle cut-off runs.",
    ),
    "status": ("hft.verbs.status", "status", "Where every host stands, in two seconds."),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported on first use."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return _with_verbosity(command)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in ("help", "version"):  # what people type who do not know the options yet
            flag = "--version" if args[0] == "version" else "--help"
            verbs = [word for word in args[1:] if not word.startswith("-")]
            if flag == "--version" or not verbs:
                return self.resolve_command(ctx, _shown(self, ctx, flag))
            args = [*verbs, "--help"]
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            ctx.fail(f"there is no command {args[0]!r}{nearest(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, VERBS[verb][2]) for verb in sorted(VERBS)])


def _with_verbosity(command: click.Command) -> click.Command:
    """COMMAND, and each below it, with -v: it is of the program, and people write it behind the verb."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _with_verbosity(one)
    elif all(param.name != "verbose" for param in command.params):
        command.params.append(
            click.Option(
                ["-v", "--verbose"],
                count=True,
                expose_value=False,
                callback=lambda _context, _param, level: be_verbose(level),
                help="Tell what each host was asked and how long it took; -vv: the whole command lines.",
            )
        )
    return command


def _shown(group: click.Group, ctx: click.Context, flag: str) -> list[str]:
    """Run an option of the group that prints and ends."""
    group.main(args=[flag], prog_name=ctx.info_name, standalone_mode=False)
    ctx.exit()


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print what this program is, and end."""
    if not wanted or context.resilient_parsing:
        return
    from hft.about import lines

    for line in lines():
        tell(line)
    context.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Release, commit, agent and schemas, and exit.",
)  # fmt: skip
def cli() -> None:
    """Plan, apply, trial-boot and prove a low-latency trading fleet.

    Exit codes: 0 ok, 1 internal, 2 bad input, 3 changes pending, 4 unverifiable, 5 violated, 6 rolled back,
    7 unreachable, 8 locked, 9 not judged (this machine was too busy), 10 half undone, 130 interrupted.
    """


def main() -> int:
    """Run the command line of this process; its exit code."""
    gc.set_threshold(GC_THRESHOLD)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    return int(run_guarded())


def run_guarded(args: list[str] | None = None) -> int:
    """Run `hft` with ARGS (default: sys.argv) and return its exit code; no traceback for a user's mistake."""
    words = sys.argv[1:] if args is None else args
    log = begin(words)
    code = _run(words)
    log.ended(code)
    return code


def _run(words: list[str]) -> int:
    forget_documents()
    use_inventory(None)
    try:
        if wrong := [word for word in words if "\0" in word]:  # no shell can, a program that calls us may
            raise click.UsageError(f"a word of the command line holds a NUL character: {wrong[0][:80]!r}")
        result = cli.main(args=words, prog_name="hft", standalone_mode=False)
    except click.ClickException as error:
        return _ended(words, Exit.BAD_INPUT, [("", error)], usage=error)
    except (click.Abort, KeyboardInterrupt):
        tell(f"hft: interrupted; to go on, run again: {shlex.join(['hft', *words])}", err=True)
        return _ended(words, Exit.INTERRUPTED, [("", HftError(Exit.INTERRUPTED, "interrupted"))], told=True)
    except SystemExit:
        if not isinstance(sys.stdout, cast("type[object]", PacifyFlushWrapper)):
            raise
        return Exit.OK  # click saw the reader leave: that is no failure of what was asked for
    except HostsError as error:
        return _ended(words, error.exit_code, error.errors, hint=error.hint)
    except Exception as error:  # a room's error has a sentence, anything else is ours
        code, named = exit_code_of(error), [(getattr(error, "host", ""), error)]
        ours = (
            [] if code else [*traceback.format_exc().splitlines(), "hft: internal error, please report it so"]
        )
        for line in ours:
            tell(line, err=True)
        return _ended(words, code or Exit.INTERNAL, named, told=bool(ours))
    return int(result) if isinstance(result, int) else Exit.OK


def _ended(  # noqa: PLR0913  # each by name
    words: Sequence[str],
    code: Exit,
    errors: Sequence[tuple[str, Exception]],
    *,
    hint: str = "",
    usage: click.ClickException | None = None,
    told: bool = False,
) -> Exit:
    """Say why it ended, a line for each host; with --json a document says the same, if none did yet."""
    lines = [line_of(host, error) if host else _sentence(error) for host, error in errors]
    context = getattr(usage, "ctx", None)
    more = [hint] if hint else []
    if context is not None:
        taken = " ".join(
            context.command.collect_usage_pieces(context)
        )  # get_usage() breaks it for a terminal
        more.append(f"usage: {context.command_path} {taken}; see {context.command_path} --help")
    for line in () if told else (*lines, *more):
        tell(f"hft: {line}", err=True)
    if _wants_json(words) and not is_document_told():
        hosts = [{"host": host, "error": line} for (host, _), line in zip(errors, lines, strict=True) if host]
        said = "; ".join([*lines, *([hint] if hint else [])])
        only = hosts[0]["host"] if len(hosts) == 1 else None
        tell_document({"schema": 1, "error": said, "host": only, "code": int(code), "hosts": hosts})
    return code


def _wants_json(words: Sequence[str]) -> bool:
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


def _sentence(error: Exception) -> str:
    if is_homeless(error):
        return "no such home directory is known; hint: set HOME, or write the path without ~"
    said = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(said.split()) or type(error).__name__
