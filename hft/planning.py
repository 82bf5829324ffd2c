"""`hft plan`, `hft snapshot` and `hft doctor`: look at a host, say what it should be, change nothing.

All three take the same look: the capture script, run over SSH, on this machine or over a captured tree. None
writes to a host, needs an agent there, or takes a lock. `doctor` loads neither the inventory nor pyinfra, so
that it answers at once on any Linux machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deploys.text import printable
from hft.errors import Exit, HftError
from tuning.ailments import diagnose
from tuning.cpu_map import draw
from tuning.diff import Changes, diff
from tuning.errors import PlanError
from tuning.plan import Plan
from tuning.planner import plan as make_plan
from tuning.profile import Profile, profile_named
from tuning.reader import read_topology
from tuning.snapshot import CAPTURE_SCRIPT, Snapshot, parse_capture
from tuning.topology import Topology

if TYPE_CHECKING:
    from inventory.model import Host, Site

CAPTURE_TIMEOUT_S = 60.0
FILE_SIZE_MAX = 32 * 1024 * 1024
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one host, and the profile it is looked at with."""

    name: str
    snapshot: Snapshot
    profile: Profile
    is_live: bool


def _source_options(command: Command) -> Command:
    """The options that say where to look; exactly one of them."""
    for option in (
        click.option(
            "--inventory", metavar="PATH", help="A .py, .toml or .json inventory (default: the lab)."
        ),
        click.option("--local", is_flag=True, help="Look at this machine."),
        click.option("--snapshot", "snapshot_file", metavar="FILE", help="A snapshot that was saved before."),
        click.option("--tree", metavar="DIR", help="A captured tree of /proc and /sys."),
    ):
        command = option(command)
    return command


@click.command(
    epilog="""\b
Examples:
  hft plan --host engine-1                    what engine-1 should be, and what is pending there
  hft plan --tree captures/rack4 --profile engine
  hft plan --local --json | jq .plan_hash
Exit code: 3 when changes are pending on a live host, 2 when the host is refused, else 0.
"""
)
@click.option("--host", metavar="NAME", help="A host of the inventory, asked over SSH.")
@_source_options
@click.option("--profile", metavar="NAME", help="Default: the host's own, else `engine`.")
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON document on standard output.")
def plan(  # noqa: PLR0913  # one argument for each option
    *,
    host: str | None,
    tree: str | None,
    snapshot_file: str | None,
    local: bool,
    inventory: str | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Print the plan of a host: every CPU and every setting with its why."""
    look = _look(host, tree, snapshot_file, local=local, inventory=inventory, profile=profile)
    try:
        topology = read_topology(look.snapshot)
        made = make_plan(topology, look.profile)
    except PlanError as error:
        raise PlanError(error.code, f"{look.name}: {error} ({error.code})") from error
    changes = diff(made, look.snapshot) if look.is_live else None
    if as_json:
        click.echo(made.to_json())
    else:
        _print_plan(look.name, topology, made, changes)
    return _outcome(look.name, changes)


def _print_plan(name: str, topology: Topology, made: Plan, changes: Changes | None) -> None:
    from hft import plan_view

    out = plan_view.console()
    plan_view.show_host(out, name, topology)
    plan_view.show_map(out, draw(topology, made))
    plan_view.show_plan(out, made, changes)


def _outcome(name: str, changes: Changes | None) -> int:
    if changes is None:
        return Exit.OK
    if not changes.all:
        click.echo(f"{name}: as planned", err=True)
        return Exit.OK
    count = f"{len(changes.boot)} by a boot, {len(changes.runtime)} at run time"
    click.echo(f"{name}: {len(changes.all)} settings are pending ({count})", err=True)
    return Exit.PENDING


@click.command(
    epilog="""\b
Examples:
  hft snapshot engine-1 -o engine-1.json      keep what engine-1 shows
  hft snapshot --tree captures/rack4 -o rack4.json
  hft snapshot --local | hft plan --snapshot -
"""
)
@click.argument("host", required=False)
@_source_options
@click.option("-o", "--output", metavar="FILE", help="Write there instead of standard output.")
def snapshot(  # noqa: PLR0913  # one argument for each option
    *,
    host: str | None,
    tree: str | None,
    snapshot_file: str | None,
    local: bool,
    inventory: str | None,
    output: str | None,
) -> int:
    """Capture what the planner reads of a host; needs no agent and no root there."""
    text = _look(host, tree, snapshot_file, local=local, inventory=inventory, profile=None).snapshot.to_json()
    if output in (None, "-"):
        click.echo(text)
    else:
        _write(Path(str(output)), text + "\n")
    return Exit.OK


@click.command(
    epilog="""\b
Examples:
  hft doctor                   what this machine is, the plan it would get, what works against it
  hft doctor --json | jq '.ailments[].name'
"""
)
@click.option("--profile", metavar="NAME", default="engine", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def doctor(*, profile: str, as_json: bool) -> int:
    """Look at this Linux machine: topology, the plan it would get, what works against low latency.

    Needs no root and changes nothing. Exit code 0 whatever it finds.
    """
    wanted = profile_named(profile)
    seen = _capture_local("/", "this machine")
    topology = read_topology(seen)
    made, refusal = None, None
    try:
        made = make_plan(topology, wanted)
    except PlanError as error:
        refusal = error
    diagnosis = diagnose(seen, topology, made)
    if as_json:
        document = {
            "schema": 1,
            "plan": None if made is None else json.loads(made.to_json()),
            "refusal": None if refusal is None else {"code": refusal.code, "reason": str(refusal)},
            **dataclasses.asdict(diagnosis),
        }
        click.echo(json.dumps(document, sort_keys=True))
        return Exit.OK
    from hft import plan_view

    out = plan_view.console()
    plan_view.show_host(out, seen.text("/proc/sys/kernel/hostname") or "this machine", topology)
    plan_view.show_map(out, draw(topology, made))
    plan_view.show_diagnosis(out, diagnosis)
    out.print()
    if made is None:
        out.print(f"no plan with profile {profile}: {refusal}", markup=False)
    else:
        plan_view.show_plan(out, made, None)
    return Exit.OK


def _look(  # noqa: PLR0913  # one argument for each option
    host: str | None,
    tree: str | None,
    snapshot_file: str | None,
    *,
    local: bool,
    inventory: str | None,
    profile: str | None,
) -> Look:
    given = [name for name, value in _given(host, tree, snapshot_file, local) if value]
    if len(given) != 1:
        said = f"not {' and '.join(given)} together" if given else "none was given"
        raise click.UsageError(f"say where to look: a host, --tree, --snapshot or --local; {said}")
    if host is not None:
        return _look_at_host(host, inventory, profile)
    if inventory is not None:
        raise click.UsageError("--inventory goes with a host only")
    wanted = profile_named(profile or "engine")
    if tree is not None:
        return Look(name=tree, snapshot=_capture_tree(tree), profile=wanted, is_live=False)
    if snapshot_file is not None:
        seen = Snapshot.from_json(_read(snapshot_file))
        return Look(name=snapshot_file, snapshot=seen, profile=wanted, is_live=False)
    name = "this machine"
    return Look(name=name, snapshot=_capture_local("/", name), profile=wanted, is_live=True)


def _given(
    host: str | None, tree: str | None, snapshot_file: str | None, local: bool
) -> tuple[tuple[str, bool], ...]:
    return (
        ("a host", host is not None),
        ("--tree", tree is not None),
        ("--snapshot", snapshot_file is not None),
        ("--local", local),
    )


def _look_at_host(name: str, inventory: str | None, profile: str | None) -> Look:
    """Ask a host of the inventory; only here is the inventory loaded."""
    from inventory.load import load_site
    from inventory.selection import select_one

    site = load_site(inventory)
    host = select_one(site, name)
    wanted = _profile_of(site, host, profile)
    snapshot = _capture_remote(host)
    seen = (snapshot.files.get("/etc/machine-id") or "").strip()
    if host.machine_id is not None and seen != host.machine_id:
        raise HftError(
            Exit.BAD_INPUT,
            f"{name}: machine id {printable(seen)[:8]}... is not the enrolled {host.machine_id[:8]}...: "
            "another or a re-imaged machine, so nothing was planned; enrol it again: "
            f"hft host enrol {name} --fingerprint SHA256:...",
        )
    return Look(name=name, snapshot=snapshot, profile=wanted, is_live=True)


def _profile_of(site: Site, host: Host, profile: str | None) -> Profile:
    if profile is None:
        return site.profile_of(host) or profile_named("engine")
    known = site.known_profiles
    if profile not in known:
        raise HftError(Exit.BAD_INPUT, f"{site.name}: no profile {profile!r}; known: {', '.join(known)}")
    return known[profile]


def _capture_remote(host: Host) -> Snapshot:
    from deploys.errors import DeployError
    from deploys.ssh import Ssh

    ssh = Ssh.of(host)
    click.echo(f"capturing {host.name}", err=True)
    elevate = [] if host.user == "root" else ["sudo", "-n"]
    done = ssh.run(
        [*elevate, "sh", "-s", "--", "/"], stdin=CAPTURE_SCRIPT.encode(), timeout_s=CAPTURE_TIMEOUT_S
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        shown = "".join(char if char.isprintable() else "?" for char in last)[:200]
        raise DeployError(f"{host.name}: the capture ended with {done.returncode}: {shown}")
    return parse_capture(done.stdout)


def _capture_tree(tree: str) -> Snapshot:
    root = Path(tree)
    if not root.is_dir():
        raise HftError(Exit.BAD_INPUT, f"{tree}: not a directory; --tree takes an unpacked /proc and /sys")
    if not (root / "sys").is_dir() and not (root / "proc").is_dir():
        inside = [child.name for child in root.iterdir() if (child / "sys").is_dir()][:1]
        hint = f"; did you mean {root / inside[0]}?" if inside else ""
        raise HftError(Exit.BAD_INPUT, f"{tree}: holds neither proc nor sys{hint}")
    return _capture_local(str(root.resolve()), tree)


def _capture_local(root: str, name: str) -> Snapshot:
    if not sys.platform.startswith("linux"):
        raise HftError(Exit.BAD_INPUT, f"{name}: needs Linux, this is {sys.platform}")
    argv = ["sh", "-s", "--", root]
    try:
        done = subprocess.run(
            argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=False, timeout=CAPTURE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HftError(Exit.INTERNAL, f"{name}: the capture did not run: {error}") from error
    return parse_capture(done.stdout)


def _read(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read(FILE_SIZE_MAX)
        file = Path(path)
        if file.stat().st_size > FILE_SIZE_MAX:
            raise HftError(Exit.BAD_INPUT, f"{path}: larger than {FILE_SIZE_MAX >> 20} MiB, not a snapshot")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {error}") from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a device or a pipe is written into, never replaced by a file."""
    if path.exists() and not path.is_file():
        _write_into(path, text)
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be written: {error.strerror}") from error


def _write_into(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be written: {error.strerror}") from error
