"""`hft plan`, `hft snapshot` and `hft doctor`: look at a host, say what it should be, change nothing.

All three take the same look: the capture script, run over SSH, on this machine or over a captured tree. None
writes to a host, needs an agent there, or takes a lock. `doctor` loads neither the inventory nor pyinfra, so
that it answers at once on any Linux machine.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from hft import options
from hft.errors import Exit, HftError
from hft.files import Report
from hft.tree_capture import capture_tree
from hft.views.topology import draw
from inventory.bounded import FILE_MAX, read_bounded, reason_of
from inventory.suggest import nearest
from transport.hint import command
from transport.show import one_line, tell, tell_document
from tuning.compliance.diff import Changes, diff
from tuning.compliance.hazards import diagnose
from tuning.compliance.unit_states import Unit, parse_show, show_argv
from tuning.errors import PlanError, SnapshotError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan as make_plan
from tuning.plan.ports import without_link
from tuning.plan.profile import Ports, Profile, profile_named
from tuning.snapshot.files import CAPTURE_SCRIPT, Snapshot, parse_capture
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology
from tuning.units import DISTURBING_UNITS, IRQBALANCE

if TYPE_CHECKING:
    from deploys.tune.host_state import HostState
    from inventory.model import Host, Site

CAPTURE_TIMEOUT_S = 60.0
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one host, and the profile it is looked at with."""

    name: str
    snapshot: Snapshot
    profile: Profile
    is_live: bool
    site: Site | None = None
    host: Host | None = None
    state: HostState | None = None


def _source_options(command: Command) -> Command:
    """The options that say where to look; exactly one of them."""
    for option in (
        options.INVENTORY,
        click.option("--snapshot", "snapshot_file", metavar="FILE", help="A snapshot that was saved before."),
        click.option("--tree", metavar="DIR", help="A captured tree of /proc and /sys."),
    ):
        command = option(command)
    return command


@click.command(
    epilog="""\b
Examples:
  hft plan --host engine-1                    what engine-1 should be, and what is pending there
  hft plan --limit 'role:engine' -o today.plans  many hosts; later: hft apply today.plans
  hft plan --tree captures/rack4 --profile engine
  hft plan --local --json | jq .plan_hash
Exit code: 3 when changes are pending on a live host (0 once they are saved), 2 when a host is refused, 7 when
one does not answer, else 0.
"""
)
@click.option(
    "--host", metavar="NAME", shell_complete=options.HOSTS, help="A host of the inventory, asked over SSH."
)
@options.LIMIT
@click.option("-o", "--output", metavar="FILE", help="Save the plans of these hosts for hft apply FILE.")
@options.RETRIES
@options.PARALLEL
@_source_options
@click.option("--profile", metavar="NAME", help="Default: the host's own, else `engine`.")
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON document on standard output.")
def plan(  # noqa: PLR0913  # one argument for each option
    *,
    host: str | None,
    limit: str | None,
    output: str | None,
    retries: int,
    tree: str | None,
    snapshot_file: str | None,
    inventory: str | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Print the plan of a host: every CPU and every setting with its why. Of many: what is pending."""
    if limit is not None or output is not None:
        if tree is not None or snapshot_file is not None or (host is not None and limit is not None):
            raise click.UsageError(
                "--limit and -o go with hosts of the inventory, --host NAME or --limit HOSTS"
            )
        from hft.verbs.plan_many import plan_many

        chosen = host if host is not None else limit
        return plan_many(
            inventory=inventory,
            limit=chosen,
            profile=profile,
            output=output,
            retries=retries,
            as_json=as_json,
        )
    look = _look(host, tree, snapshot_file, inventory=inventory, profile=profile)
    try:
        topology = read_topology(look.snapshot)
        ports = Ports() if look.host is None else look.host.named_ports
        made = make_plan(topology, look.profile, ports)
    except PlanError as error:
        raise PlanError(error.code, f"{look.name}: {error} ({error.code})") from error
    changes = diff(made, look.snapshot) if look.is_live else None
    pending = _pending(look, made, changes)
    if as_json:
        tell_document(made.to_json())
    else:
        _print_plan(look.name, topology, made, changes)
        for said in without_link(topology, ports):
            tell(f"{look.name}: {said}", err=True)
    if look.state is not None and (txn := look.state.half_undone) is not None:
        said = f"transaction {one_line(txn)} is being undone; when nobody is at work on it"
        tell(f"{look.name}: {said}, run: {command('recover', look.name)}", err=True)
    return _outcome(look.name, pending)


def _pending(look: Look, made: Plan, changes: Changes | None) -> Counter[str] | None:
    """Mode -> what is pending in it: all that `hft apply` would do, on a host that it could do it on."""
    if changes is None:
        return None
    if look.host is None or look.state is None or look.site is None:
        return Counter({"boot": len(changes.boot), "run time": len(changes.runtime)})
    from deploys.tune.host_changes import make_work

    trial = look.site.trial_of(look.host)
    work = make_work(look.host, look.state, look.profile, trial, plan=made)
    return Counter("boot" if item.mode == "boot" else "run time" for item in work.pending)


def _print_plan(name: str, topology: Topology, made: Plan, changes: Changes | None) -> None:
    from hft.views import plan as plan_view

    plan_view.show_host(name, topology)
    plan_view.show_map(draw(topology, made))
    plan_view.show_plan(made, changes)


def _outcome(name: str, pending: Counter[str] | None) -> int:
    if pending is None:
        return Exit.OK
    if not pending.total():
        tell(f"{name}: as planned", err=True)
        return Exit.OK
    count = f"{pending['boot']} by a boot, {pending['run time']} at run time"
    tell(f"{name}: {pending.total()} pending ({count})", err=True)
    return Exit.PENDING


@click.command(
    epilog="""\b
Examples:
  hft snapshot engine-1 -o engine-1.json      keep what engine-1 shows
  hft snapshot --tree captures/rack4 -o rack4.json
  hft snapshot --local | hft plan --snapshot -
"""
)
@click.argument("host", required=False, shell_complete=options.HOSTS)
@_source_options
@click.option("-o", "--output", metavar="FILE", help="Write there instead of standard output.")
def snapshot(  # one argument for each option
    *,
    host: str | None,
    tree: str | None,
    snapshot_file: str | None,
    inventory: str | None,
    output: str | None,
) -> int:
    """Capture what the planner reads of a host; needs no agent and no root there."""

    def captured() -> str:
        return _look(host, tree, snapshot_file, inventory=inventory, profile=None).snapshot.to_json()

    if output in (None, "-"):
        tell_document(captured())
        return Exit.OK
    with Report(Path(str(output))) as to:
        to.write(captured() + "\n")
    return Exit.OK


@click.command(
    epilog="""\b
Examples:
  hft doctor                   what this machine is, the plan it would get, what works against it
  hft doctor --json | jq '.hazards[].name'
"""
)
@click.option("--profile", metavar="NAME", default="engine", show_default=True)
@options.JSON
def doctor(*, profile: str, as_json: bool) -> int:
    """Look at this Linux machine: topology, the plan it would get, what works against low latency.

    Needs no root and changes nothing. Exit code 0 whatever it finds.
    """
    wanted = profile_named(profile)
    seen = capture_local("this machine")
    topology = read_topology(seen)
    made, refusal = None, None
    try:
        made = make_plan(topology, wanted)
    except PlanError as error:
        refusal = error
    diagnosis = diagnose(seen, topology, made, _units_here())
    if as_json:
        document = {
            "schema": 1,
            "plan": None if made is None else json.loads(made.to_json()),
            "refusal": None if refusal is None else {"code": refusal.code, "reason": str(refusal)},
            **dataclasses.asdict(diagnosis),
        }
        tell_document(json.dumps(document, sort_keys=True))
        return Exit.OK
    from hft.views import plan as plan_view

    plan_view.show_host(seen.text("/proc/sys/kernel/hostname") or "this machine", topology)
    plan_view.show_map(draw(topology, made))
    plan_view.show_diagnosis(diagnosis)
    tell()
    if made is None:
        tell(f"no plan for this machine with profile {profile}: {refusal}")
    else:
        plan_view.show_plan(made, None)
    return Exit.OK


def _look(
    host: str | None,
    tree: str | None,
    snapshot_file: str | None,
    *,
    inventory: str | None,
    profile: str | None,
) -> Look:
    given = [name for name, value in _given(host, tree, snapshot_file) if value]
    if len(given) != 1:
        said = f"not {' and '.join(given)} together" if given else "none was given"
        raise click.UsageError(f"say where to look: a host, --tree, --snapshot or --local; {said}")
    if host is not None:
        return look_at_host(host, inventory, profile)
    if options.is_here():
        return _look_here(inventory, profile)
    source = click.get_current_context().get_parameter_source("inventory")
    if inventory is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--inventory goes with a host only")
    wanted = profile_named(profile or "engine")
    if tree is not None:
        return Look(name=tree, snapshot=_capture_tree(tree), profile=wanted, is_live=False)
    file = str(snapshot_file)
    return Look(name=file, snapshot=snapshot_of(file), profile=wanted, is_live=False)


def snapshot_of(file: str) -> Snapshot:
    """A snapshot that was saved; HftError and SnapshotError name the file."""
    try:
        return Snapshot.from_json(_read(file))
    except SnapshotError as error:
        raise SnapshotError(f"{file}: {error}") from error


def _given(host: str | None, tree: str | None, snapshot_file: str | None) -> tuple[tuple[str, bool], ...]:
    return (
        ("a host", host is not None),
        ("--tree", tree is not None),
        ("--snapshot", snapshot_file is not None),
        ("--local", options.is_here() and host is None),
    )


def _look_here(inventory: str | None, profile: str | None) -> Look:
    """As root what `hft apply --local` sees; else what anybody can see of a machine that needs no name."""
    from inventory.here import machine_id

    if os.geteuid() == 0 and machine_id() is not None:
        return look_at_host(None, inventory, profile)
    if inventory is not None:
        raise click.UsageError("--local finds itself in an --inventory as root only, and by its machine-id")
    name = "this machine"
    wanted = profile_named(profile or "engine")
    return Look(name=name, snapshot=capture_local(name), profile=wanted, is_live=True)


def look_at_host(name: str | None, inventory: str | None, profile: str | None) -> Look:
    """Ask a host of the inventory, as `hft apply` does; only here are inventory and deploys loaded."""
    from deploys.tune.host_changes import check_identity
    from deploys.tune.observe import look_at
    from hft.sites import load
    from inventory.selection import select_one

    site = load(inventory)
    host = site.hosts[0] if name is None else select_one(site, name)
    wanted = _profile_of(site, host, profile)
    tell(f"capturing {host.name}", err=True)
    seen = look_at(host)
    check_identity(host, seen)
    return Look(
        name=host.name, snapshot=seen.snapshot, profile=wanted, is_live=True, host=host, site=site, state=seen
    )


def _profile_of(site: Site, host: Host, profile: str | None) -> Profile:
    if profile is None:
        return site.profile_of(host) or profile_named("engine")
    known = site.known_profiles
    if profile not in known:
        raise HftError(Exit.BAD_INPUT, f"{site.name}: no profile {profile!r}{nearest(profile, known)}")
    return known[profile]


def _capture_tree(tree: str) -> Snapshot:
    root = Path(tree)
    if not tree or not root.is_dir():
        raise HftError(
            Exit.BAD_INPUT,
            f"{tree or 'an empty --tree'}: not a directory; --tree takes an unpacked /proc and /sys",
        )
    if not (root / "sys").is_dir() and not (root / "proc").is_dir():
        inside = [child.name for child in root.iterdir() if (child / "sys").is_dir()][:1]
        hint = f"; did you mean {root / inside[0]}?" if inside else ""
        raise HftError(Exit.BAD_INPUT, f"{tree}: holds neither proc nor sys{hint}")
    return capture_tree(root)


def capture_local(name: str) -> Snapshot:
    """What the planner reads of this machine; raises HftError and SnapshotError."""
    if not sys.platform.startswith("linux"):
        raise HftError(Exit.BAD_INPUT, f"{name}: needs Linux, this is {sys.platform}")
    argv = ["sh", "-s", "--", "/"]
    try:
        done = subprocess.run(
            argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=False, timeout=CAPTURE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HftError(Exit.INTERNAL, f"{name}: the capture did not run: {error}") from error
    return parse_capture(done.stdout)


def _units_here() -> dict[str, Unit]:
    """The disturbing units as systemctl says; none where there is no systemd to ask."""
    try:
        argv = show_argv((IRQBALANCE, *DISTURBING_UNITS))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=CAPTURE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_show(done.stdout)


def _read(path: str) -> str:
    """The text of a snapshot: a file, a pipe such as <(...), or - for standard input; never without end."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(FILE_MAX + 1)
            if len(data) > FILE_MAX:
                raise OSError(errno.EFBIG, f"larger than {FILE_MAX >> 10} KiB")
        else:
            data = read_bounded(Path(path), FILE_MAX)
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the path
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error
