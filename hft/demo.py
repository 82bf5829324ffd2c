"""`hft demo`: the whole loop on a lab of its own, made of the commands a person would type.

up -> untuned counters -> apply with a trial boot on both kernels -> proof -> before beside after -> three
poisoned boots that come back by themselves -> down. The demo adds nothing to the commands: it starts them,
times them, counts boots, and stops at the first one that does not end as it should.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from hft.errors import Exit, HftError
from hft.records import state_root

HOSTS = ("engine-1", "engine-2")
# Both hosts at a time; the panic and the dead NIC each cost two boots, the missing kernel one.
POISONS = ("engine-1=panic", "engine-1=kernel-missing", "engine-2=nic")
COMMAND_TIMEOUT_S = 2400
WIDTH = 120  # of tables in a log file
# An untuned host has to fail the effect checks; the verdict on a tuned one is shown before it is judged.
UNTUNED = (Exit.VIOLATED, Exit.UNVERIFIABLE)
PROVEN = (Exit.OK, Exit.VIOLATED, Exit.UNVERIFIABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One finished phase and what it cost."""

    name: str
    seconds: float
    load: float


@dataclass(kw_only=True)
class Demo:
    """One run: where it writes, what it has timed so far."""

    folder: Path
    console: Console
    began_s: float = field(default_factory=time.monotonic)
    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase, and keep its time also when it fails."""
        began_s = time.monotonic()
        self.console.rule(f"[bold]{name}[/bold]  ({began_s - self.began_s:.0f} s since start)", align="left")
        try:
            yield
        finally:
            seconds = time.monotonic() - began_s
            self.phases.append(Phase(name=name, seconds=seconds, load=os.getloadavg()[0]))

    def run(self, *words: str, accept: Sequence[int] = (Exit.OK,), quiet: bool = False) -> str:
        """Run `hft WORDS`, its progress on our stderr; its standard output, also shown unless QUIET."""
        self.console.print(f"[bold cyan]$ hft {' '.join(words)}[/bold cyan]", soft_wrap=True)
        argv = [sys.executable, "-m", "hft", *words]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False, timeout=COMMAND_TIMEOUT_S)
        if not quiet:
            self.console.print(done.stdout.rstrip(), markup=False, highlight=False, soft_wrap=True)
        if done.returncode not in accept:
            code = Exit(done.returncode) if done.returncode in set(Exit) else Exit.INTERNAL
            expected = ", ".join(str(int(one)) for one in accept)
            raise HftError(
                code, f"demo: `hft {' '.join(words)}` ended with {done.returncode}, expected {expected}"
            )
        return done.stdout


@click.command()
@click.option("--keep", is_flag=True, help="Leave the lab up at the end.")
def demo(keep: bool) -> None:
    """Show the whole loop on real kernels: untuned, tuned, proven, poisoned three times, back.

    \b
    Examples:
      hft demo
      hft demo --keep && HFT_LAB=demo hft status
    """
    os.environ.setdefault("HFT_LAB", "demo")
    folder = state_root() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    width = None if sys.stdout.isatty() else WIDTH
    run = Demo(folder=folder, console=Console(highlight=False, width=width))
    try:
        story(run)
    finally:
        boots = boots_of(run)
        if not keep:
            with run.phase("lab down"):
                run.run("lab", "down")
        summary(run, boots)


def story(run: Demo) -> None:
    """The loop, phase by phase."""
    with run.phase("lab up: two real kernels, untuned"):
        run.run("lab", "up", "--restore", *HOSTS)
    with run.phase("plan and untuned counters"):
        plans = write_plans(run)
        run.run("check", "--effect-only", "--plan", str(plans), "--json", accept=UNTUNED, quiet=True)
    with run.phase("apply: one trial boot on each host"):
        run.run("apply", "--yes", "--drain", "--reason", "demo")
    with run.phase("prove by effect"):
        report = run.folder / "report.html"
        found = json.loads(run.run("check", "--json", "--html", str(report), accept=PROVEN, quiet=True))
        run.console.print(before_and_after(found))
        if found["exit_code"] != Exit.OK:
            raise HftError(Exit(found["exit_code"]), f"demo: the proof failed, see {report}")
    with run.phase(f"poisoned boots: {', '.join(POISONS)}"):
        run.run("drill", "--drain", *POISONS)
    with run.phase("status: both hosts are where they were"):
        run.run("status", accept=(Exit.OK, Exit.ROLLED_BACK))
    run.console.print(f"report: {report}", style="bold green", soft_wrap=True)


def write_plans(run: Demo) -> Path:
    """The plan of each host as a file, so that the untuned hosts are measured where they will be isolated."""
    folder = run.folder / "plans"
    folder.mkdir(exist_ok=True)
    for host in HOSTS:
        text = run.run("plan", "--host", host, "--json", accept=(Exit.OK, Exit.PENDING), quiet=True)
        (folder / f"{host}.json").write_text(text)
    run.run("plan", "--host", HOSTS[0], accept=(Exit.OK, Exit.PENDING))
    return folder


def before_and_after(found: Mapping[str, Any]) -> Table:
    """Untuned beside tuned, for each isolated CPU; counts over one window."""
    table = Table(title="Interrupts and switches under load, per isolated CPU, before -> after")
    for name in ("host", "kernel", "CPU", "window s", "timer interrupts", "device interrupts", "involuntary"):
        table.add_column(name, justify="right" if name not in ("host", "kernel") else "left")
    for host in found["hosts"]:
        before = {one["cpu"]: one for one in (host["untuned"] or {"cpus": []})["cpus"]}
        measured = host["measurement"] or {"cpus": [], "window_s": 0}
        for after in measured["cpus"]:
            was = before.get(after["cpu"])
            table.add_row(
                host["host"],
                str(host["kernel"]),
                f"{after['cpu']} ({after['mode']})",
                f"{measured['window_s']:.0f}",
                pair(was and was["interrupts"]["LOC"], after["interrupts"]["LOC"]),
                pair(was and sum(was["devices"].values()), sum(after["devices"].values())),
                pair(was and was["involuntary_switches"], after["involuntary_switches"]),
            )
    return table


def pair(before: int | None, after: int) -> str:
    """Two counts in one cell."""
    return f"{'?' if before is None else before} -> {after}"


def boots_of(run: Demo) -> int:
    """How many times a VM of the lab booted; 0 when the lab never came up."""
    try:
        hosts = json.loads(run.run("lab", "status", "--json", quiet=True))["hosts"]
    except (HftError, ValueError, KeyError):
        return 0
    return sum(int(host["boots"]) for host in hosts.values())


def summary(run: Demo, boots: int) -> None:
    """Where the time went."""
    table = Table(title=f"{boots} boots, {time.monotonic() - run.began_s:.0f} s, {os.cpu_count()} CPUs")
    table.add_column("phase")
    table.add_column("seconds", justify="right")
    table.add_column("load at its end", justify="right")
    for one in run.phases:
        table.add_row(one.name, f"{one.seconds:.0f}", f"{one.load:.1f}")
    run.console.print(table)
