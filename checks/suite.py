"""The suite: from hosts to verdicts. Two round trips per host, one for the facts and one for the effect.

Hosts are checked in parallel. What a host could not answer becomes a finding of that host, never an exception
of the run: one unreachable machine must not hide the results of the others.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from checks.accepted import Kept, Key, as_accepted, key_of
from checks.baseline import Baseline, baseline_of
from checks.counters import Measurement, parse_measurement
from checks.effect import Assignment, assign, better_than_untuned, effect_findings
from checks.errors import CheckError, SelectionError
from checks.expected import Expected, committed, names_of, plan_findings, read_plan
from checks.facts import Facts, parse_facts, script_of
from checks.layout import NOTHING, Layout, layout_of
from checks.link import Connection, open_links
from checks.machine import EMULATED, MachineLoad, is_bent, judged_under, too_busy, watch
from checks.meter import REMOTE_SCRIPT, Load, build_meter
from checks.persist import persist_findings
from checks.ports import port_findings
from checks.reading import list_of
from checks.settings import setting_findings
from checks.slots import slot_findings
from checks.topics import topic_findings
from checks.verdict import Finding, Verdict, unverifiable, worst
from inventory.bounded import FILE_MAX, read_bounded
from inventory.model import Host, Site
from transport.at_once import at_once
from transport.errors import SlowError, UnreachableError
from transport.hint import enrol

FACTS_TIMEOUT_S = 180.0
LOOKS_AT_EMULATED = 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to check."""

    config: bool = True
    effect: bool = True
    drained: bool = False
    window_s: float = 20.0
    cache: Path
    wanted: Mapping[str, Expected] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)
    untuned: Mapping[str, Measurement] = field(default_factory=dict)
    accepted: Mapping[str, Kept] = field(default_factory=dict)
    vms: frozenset[str] = frozenset()  # UUIDs of the site's VMs, where this machine emulates them
    releases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # host -> slot -> digest deployed


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """The result of one host."""

    host: str
    started_at: str
    unreachable: str | None = None
    findings: tuple[Finding, ...] = ()
    expected: Expected | None = None
    tuned: bool = False
    kernel: str = ""
    boot_id: str = ""
    cores: Mapping[int, frozenset[int]] = field(default_factory=dict)
    layout: Layout = NOTHING
    measurement: Measurement | None = None
    untuned: Measurement | None = None
    key: Key | None = None
    machine: MachineLoad | None = None
    round_trips: int = 0
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict | None:
        """The host's verdict; None when it did not answer. One that then fell silent stays violated."""
        found = worst(self.findings)
        return None if self.unreachable and found is not Verdict.VIOLATED else found


def targets(hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Hosts with a profile; only those have a plan to be checked against."""
    chosen = tuple(host for host in hosts if host.profile is not None)
    if not chosen:
        names = ", ".join(host.name for host in hosts)
        raise SelectionError(f"nothing to check: no host with a profile among {names or 'no hosts'}")
    return chosen


def given_plans(plan: Path | None, hosts: Sequence[Host]) -> dict[str, Expected]:
    """`--plan`: one file for the one selected host, or a directory with HOST.json for each."""
    if plan is None:
        return {}
    if not plan.is_dir() and len(hosts) != 1:
        raise SelectionError(
            f"--plan {plan} is one plan, but {len(hosts)} hosts are selected; give a directory"
        )
    files = {host.name: plan / f"{host.name}.json" if plan.is_dir() else plan for host in hosts}
    try:
        return {name: read_plan(read_bounded(path, FILE_MAX).decode("utf-8")) for name, path in files.items()}
    except OSError as error:
        raise SelectionError(f"--plan: {error.filename}: {error.strerror}") from error
    except (CheckError, UnicodeDecodeError) as error:
        raise SelectionError(f"--plan {plan}: {error}") from error


def check_hosts(
    site: Site,
    hosts: Sequence[Host],
    options: Options,
    say: Say,
    came: Callable[[HostResult], None] = lambda _: None,
) -> tuple[HostResult, ...]:
    """Check these hosts in parallel; CAME gets each result as it comes, from the thread of that host."""
    chosen = targets(hosts)
    if not options.config and not options.effect:
        raise SelectionError("zero checks: --effect-only and --config-only exclude each other")
    uuids = (host.identity.dmi_uuid for host in site.hosts if host.identity is not None)
    options = replace(options, vms=frozenset(uuid for uuid in uuids if uuid))

    def one(host: Host) -> HostResult:
        result = check_host(host, links.get(host.name), options, say)
        came(result)
        return result

    with open_links(chosen) as links:
        return tuple(at_once(one, chosen))


def check_host(host: Host, link: Connection | None, options: Options, say: Say) -> HostResult:
    """Check one host; unreachable is a result."""
    begin, result = (
        time.monotonic(),
        HostResult(host=host.name, started_at=datetime.now(UTC).isoformat(timespec="seconds")),
    )
    if link is None:
        said = f"not enrolled, so nothing was asked; run: {enrol(host.name)}"
        return replace(result, findings=(unverifiable("identity", "not_enrolled", said),))
    ended = _watch(host, options)
    try:
        for seen in _judged(host, link, options, say, result):
            result = seen  # what was found stays found, whatever comes after it
    except SlowError as error:
        result = _slow(result, error, ended(), baseline_of(host.host_class))
        say(str(error))
    except UnreachableError as error:
        result = replace(result, unreachable=error.seen)
        say(str(error))
    except Exception as error:  # whatever one host answers, the verdicts of the others are delivered
        result = replace(result, findings=(*result.findings, _unread(error)))
        say(f"{host.name}: {result.findings[-1].message}")
    return replace(result, round_trips=link.calls, seconds=time.monotonic() - begin)


def _unread(error: Exception) -> Finding:
    """A host's answer that could not be judged, as a finding of that host with the error's own text."""
    said = " ".join(str(error).split())[:300]
    words = said if isinstance(error, CheckError) else f"{type(error).__name__}: {said}"
    return unverifiable("facts", "facts_cut", f"its answer cannot be judged: {words}")


def _watch(host: Host, options: Options) -> Callable[[], MachineLoad | None]:
    """Measure the machine that emulates this host; on bare metal there is none."""
    return watch(lambda: options.vms) if host.host_class == EMULATED else lambda: None


def _slow(
    result: HostResult, error: SlowError, machine: MachineLoad | None, baseline: Baseline
) -> HostResult:
    """No answer in time means unreachable, except where this machine was too busy to run the host."""
    if machine is None or not too_busy(machine, baseline):
        return replace(result, unreachable=error.seen, machine=machine)
    said = unverifiable("reachable", "machine_busy", f"{error}; {machine.sentence()}")
    return replace(result, findings=(*result.findings, said), machine=machine)


def read_facts(link: Connection, wanted: Expected | None = None) -> Facts:
    """Read a host's facts in one round trip; a plan not yet on the host says what else to read."""
    mark, names = f"@{secrets.token_hex(8)}", names_of(wanted) if wanted else ()
    argv, script = ["sh", "-s", "--", *names], script_of("facts.sh", mark)
    text = link.run(argv, stdin=script, timeout_s=FACTS_TIMEOUT_S, frame=f"{mark} ")
    return parse_facts(text, mark)


def run_meter(link: Connection, load: Load, cache: Path) -> Measurement:
    """One window on a host, in one round trip: the meter goes in, the counts come out, nothing stays."""
    program = build_meter(cache).read_bytes()
    digest = hashlib.sha256(program).hexdigest()
    argv = ["sh", "-c", REMOTE_SCRIPT, "meter", digest, str(load.limit_s), *load.arguments()]
    text = link.run(argv, stdin=program, timeout_s=load.limit_s + FACTS_TIMEOUT_S)
    return parse_measurement(text, load)


def _judged(
    host: Host, link: Connection, options: Options, say: Say, result: HostResult
) -> Iterator[HostResult]:
    """The result of a host, each time that something was added to it."""
    say(f"{host.name}: reading")
    facts = read_facts(link, options.wanted.get(host.name))
    if (seen := facts.machine_id) != host.machine_id:
        said = f"machine-id {seen or 'unknown'}, but {host.machine_id} is enrolled; nothing else was judged"
        yield replace(result, findings=(unverifiable("identity", "other_machine", said),))
        return
    expected, record = committed(facts, options.wanted.get(host.name), options.recorded.get(host.name))
    result = replace(
        result,
        findings=(record,),
        kernel=facts.kernel,
        boot_id=facts.boot_id,
        cores=facts.cores,
        layout=layout_of(facts),
    )
    if expected is None:
        yield result
        return
    untuned = options.untuned.get(host.name)
    tuned = record.verdict in (Verdict.OK, Verdict.VIOLATED)  # else no committed plan could be read
    result = replace(result, expected=expected, tuned=tuned, untuned=untuned)
    yield result
    baseline = baseline_of(host.host_class)
    if options.config:
        config = (*plan_findings(expected, facts), *topic_findings(expected, facts, baseline))
        config += (*persist_findings(expected, facts), *port_findings(host.ports, host.ptp, facts))
        result = replace(result, findings=(*result.findings, *config, *setting_findings(expected, facts)))
        yield result
    if options.effect:
        result = _measured(host, link, expected, facts, options, say, result)
        yield result
    window_s, recorded = options.window_s if options.effect else 0.0, options.releases.get(host.name, {})
    engines = slot_findings(link, expected, facts, window_s=window_s, recorded=recorded)
    yield replace(result, findings=(*result.findings, *engines))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """One measurement of the effect: the counters, the machine's load, and the findings."""

    measured: Measurement | None
    machine: MachineLoad | None
    findings: tuple[Finding, ...]


def _measured(  # noqa: PLR0913, PLR0917  # the last step of a pipeline takes the results of the others
    host: Host,
    link: Connection,
    expected: Expected,
    facts: Facts,
    options: Options,
    say: Say,
    result: HostResult,
) -> HostResult:
    baseline = baseline_of(host.host_class)
    try:
        assignment = assign(expected, facts, baseline, options.window_s, drained=options.drained)
    except CheckError as error:
        found = unverifiable("effect.control", "meter_failed", str(error))
        return replace(result, findings=(*result.findings, found))
    isolated, key = expected.isolated & facts.online, _key(host, expected, facts)

    def look() -> _Window:
        ended = _watch(host, options)
        measured = _measure(link, assignment, options, say, host.name)
        machine = ended()
        if machine is not None:
            say(f"{host.name}: {machine.sentence()}")
        sound = None if isinstance(measured, CheckError) else measured
        found = list(effect_findings(assignment, measured, baseline, isolated))
        if sound is not None and result.tuned:
            found.append(better_than_untuned(sound, result.untuned, isolated, baseline))
            if key is not None:
                found.append(as_accepted(sound, key, options.accepted.get(host.name), isolated, baseline))
        return _Window(measured=sound, machine=machine, findings=tuple(found))

    window = look()
    more = LOOKS_AT_EMULATED - 1 if host.host_class == EMULATED and result.tuned else 0
    while more and _looks_again(window.findings):
        say(f"{host.name}: a starved machine would show the same; measuring again, at most {more} more")
        window, more = look(), more - 1
    judged = judged_under(window.findings, window.machine, baseline)
    measured, machine = window.measured, window.machine
    findings = (*result.findings, *judged)
    return replace(result, findings=findings, measurement=measured, machine=machine, key=key)


def _key(host: Host, expected: Expected, facts: Facts) -> Key | None:
    """What makes this window comparable; None where the host does not show it."""
    try:
        return key_of(host.host_class, expected.plan_hash, facts)
    except CheckError:
        return None


def _looks_again(findings: Sequence[Finding]) -> bool:
    """Whether every fault could come from an emulated host starved of its CPUs.

    A wrong setting shows in every window, other load on the machine only in some: one clean window under load
    proves the host, and a fault that load cannot cause is reported at once.
    """
    wrong = [one for one in findings if one.verdict in (Verdict.VIOLATED, Verdict.UNVERIFIABLE)]
    return bool(wrong) and all(is_bent(one) for one in wrong)


def _measure(
    link: Connection, assignment: Assignment, options: Options, say: Say, name: str
) -> Measurement | CheckError:
    load = assignment.load
    say(f"{name}: {load.window_s:g} s window, {_words(load)}")
    try:
        return run_meter(link, load, options.cache)
    except UnreachableError:
        raise
    except CheckError as error:
        return error


def _words(load: Load) -> str:
    parts = [f"test load on CPUs {list_of(load.spin)}"] if load.spin else []
    parts += [f"stand-ins woken on CPUs {list_of(load.wake)}"] if load.wake else []
    engine = load.observe - load.wake
    parts += [f"observing the engine on CPUs {list_of(engine)}"] if engine else []
    return ", ".join([*parts, f"control on CPU {load.control}"])
