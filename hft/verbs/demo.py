"""`hft demo`: the whole loop on a lab of its own, made of the commands a person would type.

up -> untuned counters -> apply with a trial boot on both kernels -> proof -> before beside after -> three
poisoned boots that come back by themselves -> down. The demo adds nothing to the commands: it starts them,
times them, counts boots, and stops at the first one that does not end as it should. A red end says which
finding of which host was red and what to run next, and leaves the lab up for a look. Where this machine was
too busy with other work to run its VMs, the end says that instead, with its own exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from checks.baseline import baseline_of
from checks.machine import EMULATED, MachineLoad, too_busy, watch
from checks.verdict import Verdict
from hft.errors import Exit, HftError
from hft.run_log import state_root
from hft.views.table import show_table
from inventory.errors import InventoryError
from inventory.load import load_site
from transport.hint import command
from transport.show import Styled, tell

OWN_LAB = "demo"
HOSTS = ("engine-1", "engine-2")
# Both hosts at a time; the panic and the dead NIC each cost two boots, the missing kernel one.
POISONS = ("engine-1=panic", "engine-1=kernel-missing", "engine-2=nic")
COMMAND_TIMEOUT_S = 2400
# An untuned host has to fail the effect checks; the verdict on a tuned one is shown before it is judged.
UNTUNED = (Exit.VIOLATED, Exit.UNVERIFIABLE, Exit.NOT_JUDGED)
PROVEN = (Exit.OK, Exit.VIOLATED, Exit.UNVERIFIABLE, Exit.UNREACHABLE, Exit.NOT_JUDGED)
# Ends that a machine without time for its VMs can cause; what `hft check` calls violated is not one.
BY_LOAD = frozenset({Exit.UNREACHABLE, Exit.UNVERIFIABLE, Exit.ROLLED_BACK, Exit.NOT_JUDGED})
WAITS_S = (15, 30)
LEFT_UP = (
    "The lab is left up for a look: HFT_LAB={name} .venv/bin/hft status",
    "End it with:                   HFT_LAB={name} .venv/bin/hft lab down",
)


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
    began_s: float = field(default_factory=time.monotonic)
    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase, and keep its time also when it fails."""
        began_s = time.monotonic()
        tell(Styled(f"---- {name}", "bold"), f"  ({began_s - self.began_s:.0f} s since start)")
        try:
            yield
        finally:
            seconds = time.monotonic() - began_s
            self.phases.append(Phase(name=name, seconds=seconds, load=os.getloadavg()[0]))

    def run(self, *words: str, accept: Sequence[int] = (Exit.OK,), quiet: bool = False) -> str:
        """Run `hft WORDS`, its progress on our stderr; its standard output, also shown unless QUIET."""
        tell(Styled(f"$ hft {' '.join(words)}", "cyan"))
        argv, ended = [sys.executable, "-m", "hft", *words], watch(vms)
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False, timeout=COMMAND_TIMEOUT_S)
        if not quiet:
            for line in done.stdout.rstrip().splitlines():
                tell(line)
        if done.returncode not in accept:
            raise red_end(words, done.returncode, accept, ended())
        return done.stdout


def vms() -> list[str]:
    """The UUIDs of the lab's VMs, none while it is down."""
    try:
        return [host.identity.dmi_uuid for host in load_site(None).hosts if host.identity is not None]
    except InventoryError:
        return []


def red_end(words: Sequence[str], seen: int, accept: Sequence[int], machine: MachineLoad) -> HftError:
    """Why the demo stops: the command's own end, or that this machine could not give its VMs their time."""
    command, expected = " ".join(words), ", ".join(str(int(one)) for one in accept)
    code = Exit(seen) if seen in set(Exit) else Exit.INTERNAL
    said = f"demo: `hft {command}` ended with {seen}, expected {expected}; {machine.sentence()}"
    if code in BY_LOAD and too_busy(machine, baseline_of(EMULATED)):
        return HftError(Exit.NOT_JUDGED, f"could not be judged, this machine is too busy: {said}")
    return HftError(code, said)


@click.command()
@click.option("--keep", is_flag=True, help="Leave the lab up at the end.")
def demo(keep: bool) -> None:
    """Show the whole loop on real kernels: untuned, tuned, proven, poisoned three times, back.

    \b
    Examples:
      hft demo
      hft demo --keep && HFT_LAB=demo hft status
    """
    os.environ.setdefault("HFT_LAB", OWN_LAB)
    folder = state_root() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    run = Demo(folder=folder)
    try:
        story(run)
    except HftError:
        keep = True
        for line in LEFT_UP:
            tell(Styled(line.format(name=os.environ["HFT_LAB"]), "bold"))
        raise
    finally:
        boots = boots_of(run)
        if not keep:
            with run.phase("lab down"):
                run.run("lab", "down")
        summary(run, boots)


def story(run: Demo) -> None:
    """The loop, phase by phase."""
    if vms():
        if os.environ["HFT_LAB"] != OWN_LAB:
            raise HftError(
                Exit.BAD_INPUT, f"lab {os.environ['HFT_LAB']} is up; the demo needs a lab of its own"
            )
        with run.phase("an earlier demo left its lab up"):
            run.run("lab", "down")
    with run.phase("lab up: two real kernels, untuned"):
        run.run("lab", "up", "--restore", *HOSTS)
    with run.phase("plan and untuned counters"):
        plans = write_plans(run)
        run.run("check", "--effect-only", "--plan", str(plans), "--json", accept=UNTUNED, quiet=True)
    with run.phase("apply: one trial boot on each host"):
        apply(run)
    with run.phase("speed of the lab now, and its deadlines"):
        run.run("lab", "speed")
    with run.phase("prove by effect"):
        report = prove(run)
    with run.phase(f"poisoned boots: {', '.join(POISONS)}"):
        run.run("drill", "--drain", *POISONS)
    with run.phase("status: both hosts are where they were"):
        run.run("lab", "speed")
        run.run("status", accept=(Exit.OK, Exit.ROLLED_BACK))
    tell(Styled(f"report: {report}", "green"))


def apply(run: Demo) -> None:
    """Tune both hosts, then apply again: nothing to do, or the second try after a trial that was rolled back.

    Seen once in some sixty boots under QEMU 7.2: all CPUs of a guest stood at one instruction for minutes,
    why is not known. Watchdog and deadman are there for such a host, and the output says who brought it back.
    """
    words = ("apply", "--yes", "--drain", "--reason", "demo")
    run.run(*words, accept=(Exit.OK, Exit.ROLLED_BACK))
    run.run(*words)


def prove(run: Demo) -> Path:
    """Check both hosts; a machine that was too busy is given time twice. Returns the report's path."""
    report = run.folder / "report.html"
    for wait_s in (*WAITS_S, None):
        words = ("check", "--json", "--html", str(report))
        found = json.loads(run.run(*words, accept=PROVEN, quiet=True))
        show_before_and_after(found)
        if found["exit_code"] == Exit.OK:
            break
        for line in open_findings(found):
            tell(line)
        if found["exit_code"] != Exit.NOT_JUDGED or wait_s is None:
            raise HftError(Exit(found["exit_code"]), failed_proof(found, report))
        tell(f"this machine is too busy to judge; once more in {wait_s} s")
        time.sleep(wait_s)
    return report


def open_findings(found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each finding that is not well: host, what, and the command that shows more."""
    for host in found["hosts"]:
        if host["unreachable"]:
            yield f"! {host['unreachable']}; run: {command('status', host['host'])}"
        for one in host["findings"]:
            if one["verdict"] in (Verdict.VIOLATED, Verdict.UNVERIFIABLE):
                said = f"! {host['host']}: {one['verdict']} {one['check']} ({one['reason']}): "
                yield f"{said}{one['message']}; run: {command('check', '--limit', host['host'])}"


def failed_proof(found: Mapping[str, Any], report: Path) -> str:
    """One sentence for the end."""
    if found["exit_code"] == Exit.NOT_JUDGED:
        return f"demo: could not be judged: this machine is too busy to run its VMs; see {report}"
    return f"demo: the proof failed, {sum(1 for _ in open_findings(found))} findings above; see {report}"


def write_plans(run: Demo) -> Path:
    """The plan of each host as a file, so that the untuned hosts are measured where they will be isolated."""
    folder = run.folder / "plans"
    folder.mkdir(exist_ok=True)

    def write(host: str) -> None:
        text = run.run("plan", "--host", host, "--json", accept=(Exit.OK, Exit.PENDING), quiet=True)
        (folder / f"{host}.json").write_text(text)

    with ThreadPoolExecutor(max_workers=len(HOSTS)) as pool:  # each is a login on an emulated CPU
        list(pool.map(write, HOSTS))
    run.run("plan", "--host", HOSTS[0], accept=(Exit.OK, Exit.PENDING))
    return folder


def show_before_and_after(found: Mapping[str, Any]) -> None:
    """Untuned beside tuned, for each isolated CPU; counts over one window."""
    tell(Styled("Interrupts and switches under load, per isolated CPU, before -> after", "bold"))
    head = ("host", "kernel", "CPU", "window s", "timer interrupts", "device interrupts", "involuntary")
    rows: list[tuple[str, ...]] = []
    for host in found["hosts"]:
        before = {one["cpu"]: one for one in (host["untuned"] or {"cpus": []})["cpus"]}
        measured = host["measurement"] or {"cpus": [], "window_s": 0}
        for after in measured["cpus"]:
            was = before.get(after["cpu"])
            row = (
                host["host"],
                str(host["kernel"]),
                f"{after['cpu']} ({after['mode']})",
                f"{measured['window_s']:.0f}",
                pair(was and was["interrupts"]["LOC"], after["interrupts"]["LOC"]),
                pair(was and sum(was["devices"].values()), sum(after["devices"].values())),
                pair(was and was["involuntary_switches"], after["involuntary_switches"]),
            )
            rows.append(row)
    show_table(head, rows, right=range(2, len(head)))


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
    tell(Styled(f"{boots} boots, {time.monotonic() - run.began_s:.0f} s, {os.cpu_count()} CPUs", "bold"))
    rows = [(one.name, f"{one.seconds:.0f}", f"{one.load:.1f}") for one in run.phases]
    show_table(("phase", "seconds", "load at its end"), rows, right=(1, 2))
