"""The no-op: 50 settings that stand as wanted, planned and applied once more by each tool.

Each tool gets a target of its own, all made alike, so no tool finds the other's work. Before a figure counts,
the tool must have earned it on its target:

1. its first run really changes the host, and a reader of ours finds every setting as wanted;
2. one value changed by hand is named by its dry run, and it alone;
3. every timed run reports zero changes.

Then the runs go round by round, one tool after the other, so that a slow minute slows all of them. Nothing is
cached between runs but what a user would have warm too: Ansible's persistent SSH connection stays open.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.ansible import Ansible
from bench.errors import BenchError
from bench.knobs import Knob, knobs_of, wrong_on
from bench.measure import Figure
from bench.ours import Ours
from bench.plain_pyinfra import PlainPyinfra
from bench.target import Target, open_target
from bench.tool import Ran, Tool
from tests.support.fake_host import FIRST_NIC_IRQ, KERNEL_THREADS, SMALL, make_host
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.capture import CAPTURE_SCRIPT
from tuning.snapshot.files import parse_capture
from tuning.topology.reader import read_topology

GOAL_S = 0.6
GOAL_RATIO = 30.0
TOOLS: Mapping[str, type[Ours] | type[PlainPyinfra] | type[Ansible]] = {
    "ours": Ours,
    "pyinfra": PlainPyinfra,
    "ansible": Ansible,
}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tool's no-op."""

    name: str
    version: str
    command: str
    wall: Figure
    controller_cpu: Figure
    target_cpu: Figure
    first_changes: int
    drift_named: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noop:
    """All tools, and the settings they were compared on."""

    knobs: tuple[Knob, ...]
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        """One tool's row, None when it did not run."""
        return next((row for row in self.rows if row.name == name), None)


def bench_noop(runs: int, tell: Tell, chosen: Sequence[str] = tuple(TOOLS)) -> Noop:
    """Set up a target for each tool, let each earn its figure, then time the no-ops in turn."""
    with ExitStack() as stack:
        tell(
            f"noop: {len(chosen)} made hosts of {SMALL.cpus} CPUs, each behind an sshd of its own on loopback"
        )
        targets = [stack.enter_context(open_target(make_host(SMALL))) for _ in chosen]
        knobs = [settle(target) for target in targets]
        if any(listed != knobs[0] for listed in knobs):
            raise BenchError("the made hosts got unlike plans; the comparison would be of unlike work")
        tools = [TOOLS[name](target, knobs[0]) for name, target in zip(chosen, targets, strict=True)]
        earned = [_earn(tool, knobs[0], tell) for tool in tools]
        timed: list[list[Ran]] = [[] for _ in tools]
        for turn in range(runs):
            for tool, done in zip(tools, timed, strict=True):
                done.append(_noop(tool))
                tell(f"noop: round {turn + 1} of {runs}: {tool.name} {done[-1].wall_s:.2f} s")
        rows = [_row(tool, earn, done) for tool, earn, done in zip(tools, earned, timed, strict=True)]
        return Noop(knobs=knobs[0], rows=tuple(rows))


def planned(target: Target) -> Plan:
    """The plan of the host behind the target, from a capture of it."""
    output = target.run(shlex.join(["sh", "-c", CAPTURE_SCRIPT, "capture", "/"]))
    return plan(read_topology(parse_capture(output)), ENGINE)


def settle(target: Target) -> tuple[Knob, ...]:
    """Bring the made host past its boot: the planned command line has taken effect, as after a trial boot."""
    decided = planned(target)
    words = shlex.quote(" ".join(decided.kernel_args()))
    ours, rest = decided.isolated.list_text(), decided.housekeeping.list_text()
    threads = " ".join(f"/proc/{pid}/status" for pid in (1, *KERNEL_THREADS))
    target.run(
        f'read -r line </proc/cmdline && echo "$line" {words} >/proc/cmdline && '
        f"for name in isolated nohz_full; do echo {ours} >/sys/devices/system/cpu/$name; done && "
        "for name in enabled defrag; do "
        "echo 'always madvise [never]' >/sys/kernel/mm/transparent_hugepage/$name; done && "
        f"sed -i 's/^Cpus_allowed_list:.*/Cpus_allowed_list:\\t{rest}/' {threads}"
    )
    knobs = knobs_of(planned(target), range(FIRST_NIC_IRQ, FIRST_NIC_IRQ + SMALL.cores))
    folders = sorted({knob.path.rpartition("/")[0] for knob in knobs})
    target.run(shlex.join(["mkdir", "-p", *folders]))
    return knobs


def _earn(tool: Tool, knobs: Sequence[Knob], tell: Tell) -> tuple[int, str]:
    """The first, real run and one drift; how many changes it made and how it named the drift."""
    if not wrong_on(tool.target, knobs):
        raise BenchError("the made host is tuned before anything ran; nothing would be proven")
    ran, changes = tool.apply()
    tell(f"noop: {tool.name} first run: {changes} changes in {ran.wall_s:.1f} s")
    wrong = wrong_on(tool.target, knobs)
    if wrong:
        raise BenchError(f"{tool.name} says it is done, but these are not as wanted: {', '.join(wrong)}")
    drift = next(knob for knob in knobs if knob.kind == "sysctl")
    tool.target.run(f"echo {_other_than(drift.wanted)} >{shlex.quote(drift.path)}")
    named = tool.pending()
    if len(named) != 1 or drift.key not in named[0]:
        raise BenchError(f"{tool.name} was to name the drift of {drift.key} and said: {named or 'nothing'}")
    tool.target.run(f"echo {shlex.quote(drift.wanted)} >{shlex.quote(drift.path)}")
    tell(f"noop: {tool.name} names the drift: {named[0]}")
    return changes, named[0]


def _other_than(wanted: str) -> str:
    return "0" if wanted != "0" else "1"


def _noop(tool: Tool) -> Ran:
    ran, changes = tool.apply()
    if changes:
        raise BenchError(f"{tool.name} made {changes} changes in a run that should have had nothing to do")
    return ran


def _row(tool: Tool, earned: tuple[int, str], done: Sequence[Ran]) -> Row:
    return Row(
        name=tool.name,
        version=tool.version,
        command=tool.command,
        wall=Figure.of([ran.wall_s for ran in done]),
        controller_cpu=Figure.of([ran.controller_cpu_s for ran in done]),
        target_cpu=Figure.of([ran.target_cpu_s for ran in done]),
        first_changes=earned[0],
        drift_named=earned[1],
    )
