"""Effect: where the load may run, and what the counters show.

An idle isolated CPU proves nothing: without work even an untuned kernel stops its tick. So empty isolated
CPUs get a synthetic load, and a CPU that runs the engine is only observed. One busy housekeeping CPU in the
same window is the positive control: it has to show ticks, otherwise the counters prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from checks.baseline import Baseline
from checks.counters import Measurement, Spinner
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.judges import JUDGES, ran_percent
from checks.meter import ENGINE_CGROUP, NO_GUARD, Load
from checks.reading import Cpus, list_of
from checks.verdict import Finding, Verdict, not_applicable, ok, unverifiable, violated

SECOND_TASK = "foreign_task"  # seen, it is true however idle, moved or robbed the CPU was


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How each isolated CPU is measured."""

    load: Load
    engine: Cpus
    siblings: Cpus


def assign(
    expected: Expected, facts: Facts, baseline: Baseline, window_s: float, *, drained: bool
) -> Assignment:
    """Spin on empty isolated CPUs, observe those of the engine, leave its siblings alone.

    A drained host does not trade: there a CPU that the engine may use, but does not, counts as empty.
    """
    isolated = expected.isolated & facts.online
    housekeeping = sorted(expected.housekeeping & facts.online)
    if not housekeeping:
        raise CheckError("no housekeeping CPU is online to run the positive control")
    tasks = [task for task in facts.tasks if task.engine]
    carried = frozenset().union(
        *({task.last_cpu} if drained else task.allowed for task in tasks), frozenset()
    )
    engine = carried & isolated
    shared = frozenset().union(*(facts.cores.get(cpu, frozenset()) for cpu in engine), frozenset())
    siblings = frozenset() if drained else (shared & isolated) - engine
    spin = isolated - engine - siblings
    guard = frozenset().union(*(facts.cores.get(cpu, frozenset({cpu})) for cpu in spin), spin)
    load = Load(
        spin=spin,
        observe=engine,
        wake=frozenset(task.standin_cpu for task in tasks if task.standin_cpu is not None) & engine,
        control=housekeeping[-1],
        coordinator=frozenset(housekeeping[:1]),
        guard=guard,
        window_s=window_s,
        control_min=baseline.least("control_ticks", window_s),
        engine_cgroup=NO_GUARD if drained else ENGINE_CGROUP,
    )
    return Assignment(load=load, engine=engine, siblings=siblings)


def effect_findings(
    assignment: Assignment, measured: Measurement | CheckError, baseline: Baseline, isolated: Cpus
) -> tuple[Finding, ...]:
    """A finding per isolated CPU and count; all unverifiable without a valid measurement."""
    problem = _unsound(measured, baseline)
    found: list[Finding] = []
    if isinstance(measured, Measurement) and measured.cpus:
        found.append(control(measured, baseline))
    elif problem:
        found.append(unverifiable("effect.control", problem[0], problem[1]))
    for cpu in sorted(isolated):
        if cpu in assignment.siblings:
            message = f"CPU {cpu} is the sibling of an engine CPU and stays idle"
            found.append(not_applicable(f"effect.cpu{cpu}", "sibling_of_engine", message))
        elif problem is not None:
            found += [unverifiable(f"effect.cpu{cpu}.{name}", *problem) for name in JUDGES]
        elif isinstance(measured, Measurement):
            found += _judged(cpu, measured, baseline)
    return tuple(found)


def _judged(cpu: int, measured: Measurement, baseline: Baseline) -> list[Finding]:
    """Every judge of a CPU.

    Worthless counts prove neither good nor bad; low counts of a load that stood prove no good.
    """
    found = [judge(cpu, measured, baseline) for judge in JUDGES.values()]
    if doubt := _worthless(cpu, measured, baseline):
        return [one if one.reason == SECOND_TASK else unverifiable(one.check, *doubt) for one in found]
    if cpu in measured.load.spin and (ran := ran_percent(cpu, measured)) < (
        baseline.limit("run_percent") or 0
    ):
        said = (
            f"the test load on CPU {cpu} ran at most {ran:.0f} % of the window, and few counts prove nothing"
        )
        return [
            unverifiable(one.check, "starved", said) if one.verdict is Verdict.OK else one for one in found
        ]
    return found


def _unsound(  # noqa: PLR0911  # one line per reason
    measured: Measurement | CheckError, baseline: Baseline
) -> tuple[str, str] | None:
    if isinstance(measured, CheckError):
        return "meter_failed", str(measured)
    if foreign := measured.foreign_files:
        return "not_procfs", f"{' and '.join(foreign)} is mounted over"
    if measured.aborted:
        return "engine_started", "an engine task started on a CPU under load; the load was stopped at once"
    asked = measured.load.window_s
    if not asked * 0.99 <= measured.window_s <= measured.load.limit_s:  # budgets grow with it
        return (
            "meter_failed",
            f"the window was {measured.window_s:.1f} s instead of {measured.load.window_s:g} s",
        )
    if measured.missing:
        return "unmeasured", f"the kernel's tables lack {', '.join(measured.missing)}"
    if (shown := control(measured, baseline)).reason:
        return shown.reason, shown.message
    return None


def control(measured: Measurement, baseline: Baseline) -> Finding:
    """The positive control: a busy housekeeping CPU takes ticks."""
    cpu, why = measured.load.control, "counters that never increase would pass every other check"
    seen, least = measured.cpu(cpu).ticks, baseline.least("control_ticks", measured.load.window_s)
    sets = {"expected": f">= {least}", "observed": "unknown" if seen is None else str(seen), "why": why}
    said = f"busy housekeeping CPU {cpu}: {sets['observed']} timer interrupts in {measured.window_s:.0f} s"
    if seen is None or seen < least:
        return unverifiable(
            "effect.control", "no_positive_control", f"{said}; expected at least {least}", **sets
        )
    return ok("effect.control", said, **sets)


def _worthless(cpu: int, measured: Measurement, baseline: Baseline) -> tuple[str, str] | None:
    """Why the counts of a CPU prove nothing, neither good nor bad; None when they do."""
    counted, load = measured.cpu(cpu), measured.load
    if cpu not in load.spin | load.observe:
        return "unmeasured", f"CPU {cpu} was neither loaded nor observed"
    if lost := counted.unknown:
        return "unmeasured", f"CPU {cpu} came or went in the window: no count of {', '.join(sorted(lost))}"
    if counted.ticks is None or counted.steal_ticks is None:
        return "unmeasured", f"CPU {cpu}: its ticks or its stolen time were not counted"
    if (steal := measured.steal_percent(cpu)) > (baseline.limit("steal_percent") or 0):
        return "steal", f"the hypervisor stole {steal:.1f} % of the window from CPU {cpu}"
    return _spun(cpu, counted.spinner) if cpu in load.spin else _engine_idle(cpu, measured, baseline)


def _spun(cpu: int, thread: Spinner | None) -> tuple[str, str] | None:
    if thread is None or thread.mode != "spin" or not thread.loops:
        return "unmeasured", f"no thread ran on CPU {cpu}"
    if thread.moved:
        return "unmeasured", f"the test load was moved away from CPU {cpu}"
    return None


def _engine_idle(cpu: int, measured: Measurement, baseline: Baseline) -> tuple[str, str] | None:
    """An observed CPU is evidence only while one thread of the engine keeps it busy."""
    ran = max((task.run_ns for task in measured.cpu(cpu).engine_tasks), default=0) / 1e9
    percent = 100 * ran / measured.window_s
    if percent >= (baseline.limit("busy_percent") or 0):
        return None
    said = f"no thread of the engine ran more than {percent:.0f} % of the window on CPU {cpu}"
    return "idle_cpu", f"{said}; give it work or use --drained"


def better_than_untuned(
    measured: Measurement, untuned: Measurement | None, isolated: Cpus, baseline: Baseline
) -> Finding:
    """Isolated CPUs are disturbed less than the same CPUs before tuning, in ticks per second.

    Where neither window reaches the budget, there was nothing to improve.
    """
    check, why = "effect.better_than_untuned", "a tuning without a measurable effect is only a risk"
    if untuned is None or not untuned.window_s or not measured.window_s:
        return not_applicable(check, "no_baseline", "no window was recorded before tuning", why=why)
    ticks = {cpu: (untuned.cpu(cpu).ticks, measured.cpu(cpu).ticks) for cpu in sorted(isolated)}
    same = {cpu: (old, new) for cpu, (old, new) in ticks.items() if old is not None and new is not None}
    if not same:
        said = f"the window before tuning counted none of CPUs {list_of(isolated)}"
        return not_applicable(check, "no_baseline", said, why=why)
    before = sum(old for old, _ in same.values()) / untuned.window_s
    after = sum(new for _, new in same.values()) / measured.window_s
    sets = {"expected": f"< {before:.1f}/s", "observed": f"{after:.1f}/s", "why": why}
    said = f"timer interrupts on CPUs {list_of(same)}: {before:.1f}/s before, {after:.1f}/s now"
    if after < before:
        return ok(check, said, **sets)
    if after <= len(same) * baseline.most("timer_interrupts", measured.window_s) / measured.window_s:
        return not_applicable(check, "no_baseline", f"{said}; it was quiet before", why=why)
    return violated(check, "not_better_than_untuned", said, **sets)
