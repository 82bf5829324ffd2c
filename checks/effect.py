"""Effect: where the load may run, and what the counters say.

An idle isolated CPU proves nothing: without work even an untuned kernel stops its tick. So empty isolated
CPUs get a load of our own, and a CPU that carries the engine is only watched. One busy housekeeping CPU
in the same window is the positive control: it has to show ticks, otherwise the counters prove nothing at
all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from checks.baseline import Baseline
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.meter import ENGINE_CGROUP, NO_GUARD, Load, Measurement
from checks.reading import Cpus, list_of
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated

# Lines of /proc/interrupts that another CPU or the CPU's own kernel causes, and what usually does.
OTHER_ROWS = {
    "RES": "a wake-up sent to this CPU",
    "CAL": "a function call from another CPU: static key, module, tracing, membarrier",
    "TLB": "another thread of the same process gave memory back",
    "IWI": "deferred kernel work: perf, printk, RCU",
    "NMI": "watchdog or perf",
}
CAUSE_OF_TICKS = "likely: a second runnable task, no nohz_full, a POSIX CPU timer, an unstable clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How each isolated CPU is measured."""

    load: Load
    engine: Cpus
    siblings: Cpus


def assign(
    expected: Expected, facts: Facts, baseline: Baseline, window_s: float, *, drained: bool
) -> Assignment:
    """Spin on empty isolated CPUs, watch those of the engine, leave its siblings alone.

    A drained host trades nothing: there a CPU that the engine may use, but does not, is empty.
    """
    isolated = expected.isolated & facts.online
    housekeeping = sorted(expected.housekeeping & facts.online)
    if not housekeeping:
        raise CheckError("no housekeeping CPU is online: there is no place for the control")
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


Judge = Callable[[int, Measurement, Baseline], Finding]


def effect_findings(
    assignment: Assignment, measured: Measurement | CheckError, baseline: Baseline, isolated: Cpus
) -> tuple[Finding, ...]:
    """A finding per isolated CPU and count; all unverifiable when there is no sound measurement."""
    problem = _unsound(measured, baseline)
    found: list[Finding] = []
    if isinstance(measured, Measurement) and measured.document.get("cpus"):
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
    if idle := _idle(cpu, measured, baseline):
        return [unverifiable(f"effect.cpu{cpu}.{name}", *idle) for name in JUDGES]
    return [judge(cpu, measured, baseline) for judge in JUDGES.values()]


def _unsound(measured: Measurement | CheckError, baseline: Baseline) -> tuple[str, str] | None:
    if isinstance(measured, CheckError):
        return "meter_failed", str(measured)
    if foreign := measured.foreign_files():
        return "not_procfs", f"{' and '.join(foreign)} lies over /proc"
    if measured.aborted:
        return "engine_started", "an engine task came to a CPU under load, which was ended at once"
    if measured.window_s < measured.load.window_s * 0.99:
        return (
            "meter_failed",
            f"the window was {measured.window_s:.1f} s instead of {measured.load.window_s:g} s",
        )
    if not _control_shows(measured, baseline):
        return "no_positive_control", control(measured, baseline).message
    return None


def _control_shows(measured: Measurement, baseline: Baseline) -> bool:
    return measured.row("LOC", measured.load.control) >= baseline.least(
        "control_ticks", measured.load.window_s
    )


def control(measured: Measurement, baseline: Baseline) -> Finding:
    """The positive control: a busy housekeeping CPU shows its ticks."""
    cpu, why = measured.load.control, "counters that never count would pass every other check"
    seen, least = measured.row("LOC", cpu), baseline.least("control_ticks", measured.load.window_s)
    sets = {"expected": f">= {least}", "observed": str(seen), "why": why}
    said = f"busy housekeeping CPU {cpu}: {seen} timer interrupts in {measured.window_s:.0f} s"
    if seen < least:
        return unverifiable(
            "effect.control", "no_positive_control", f"{said}, at least {least} expected", **sets
        )
    return ok("effect.control", said, **sets)


def _idle(cpu: int, measured: Measurement, baseline: Baseline) -> tuple[str, str] | None:
    """An observed CPU counts only while an engine thread keeps it busy."""
    if cpu not in measured.load.spin | measured.load.observe:
        return "unmeasured", f"CPU {cpu} was neither loaded nor observed"
    if cpu in measured.load.spin:
        return None if measured.thread(cpu) else ("unmeasured", f"no thread ran on CPU {cpu}")
    ran = sum(int(task["run_ns"]) for task in measured.tasks(cpu) if task["engine"]) / 1e9
    percent = 100 * ran / measured.window_s
    if percent < (baseline.limit("busy_percent") or 0):
        return (
            "idle_cpu",
            f"the engine ran {percent:.0f} % of the window on CPU {cpu}; give it work or use --drained",
        )
    return None


def _count(  # noqa: PLR0913, PLR0917  # the line that five judges share
    cpu: int, name: str, seen: int, measured: Measurement, baseline: Baseline, detail: str
) -> Finding:
    most = baseline.most(name, measured.window_s)
    check, words = f"effect.cpu{cpu}.{name}", name.replace("_", " ")
    sets = {"expected": f"<= {most}", "observed": str(seen), "why": str(baseline.entries[name]["source"])}
    said = f"CPU {cpu}: {seen} {words} in {measured.window_s:.0f} s"
    if seen > most:
        return violated(check, name, f"{said}, at most {most} allowed{detail and f'; {detail}'}", **sets)
    return ok(check, said, **sets)


def timer_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The tick stays away from a busy isolated CPU."""
    return _count(cpu, "timer_interrupts", measured.row("LOC", cpu), measured, baseline, CAUSE_OF_TICKS)


def device_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """No device interrupts an isolated CPU."""
    devices = measured.devices(cpu)
    detail = ", ".join(f"{name}: {count}" for name, count in devices.items())
    return _count(cpu, "device_interrupts", sum(devices.values()), measured, baseline, detail)


def interprocessor_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """Other CPUs leave an isolated CPU alone."""
    rows = {name: measured.row(name, cpu) for name in OTHER_ROWS}
    detail = ", ".join(f"{name} {count} ({OTHER_ROWS[name]})" for name, count in rows.items() if count)
    return _count(cpu, "interprocessor_interrupts", sum(rows.values()), measured, baseline, detail)


def involuntary_switches(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The thread was not taken off its CPU."""
    thread = measured.thread(cpu)
    engine = [task for task in measured.tasks(cpu) if task["engine"]]
    seen = int(thread["involuntary"]) if thread else sum(int(task["involuntary"]) for task in engine)
    waited = sum(int(task["run_delay_ns"]) for task in engine) / 1e6
    detail = f"it waited {waited:.1f} ms to run again" if engine else ""
    return _count(cpu, "involuntary_switches", seen, measured, baseline, detail)


def major_faults(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The thread never waited for a page from disk."""
    thread = measured.thread(cpu)
    engine = sum(int(task["major_faults"]) for task in measured.tasks(cpu) if task["engine"])
    seen = int(thread["major_faults"]) if thread else engine
    return _count(cpu, "major_faults", seen, measured, baseline, "")


def foreign_task(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """Nobody else ran there: no user task at all, and per-CPU kernel threads only briefly.

    On an emulated host a kernel thread that is interrupted by the machine beside it seems to run on: there
    its runs are counted and its time is not.
    """
    check = f"effect.cpu{cpu}.foreign_task"
    budget = "foreign_runs" if "foreign_runs" in baseline.entries else "foreign_run_ms"
    most, why = baseline.most(budget, measured.window_s), str(baseline.entries[budget]["source"])
    others = [task for task in measured.tasks(cpu) if not task["engine"] and int(task["run_ns"]) > 0]
    kernel = [task for task in others if task["kernel"]]
    kernel_ms = sum(int(task["run_ns"]) for task in kernel) / 1e6
    runs = sum(int(task["voluntary"]) + int(task["involuntary"]) for task in kernel)
    names = ", ".join(
        f"{task['comm']}[{task['tid']}] {int(task['run_ns']) / 1e6:.1f} ms" for task in others[:6]
    )
    unit = "runs" if budget == "foreign_runs" else "ms"
    expected = f"no user task, kernel threads <= {most} {unit}"
    sets = {"expected": expected, "observed": names or "none", "why": why}
    if len(others) > len(kernel):
        return violated(check, "foreign_task", f"CPU {cpu} was shared with {names}", **sets)
    if (runs if unit == "runs" else kernel_ms) > most:
        said = f"CPU {cpu} was taken {runs} times, {kernel_ms:.1f} ms, by {names}"
        return violated(check, "kthread_ran", f"{said}; at most {most} {unit} allowed", **sets)
    return ok(check, f"CPU {cpu}: no user task, kernel threads {runs} times, {kernel_ms:.1f} ms", **sets)


def gap_us(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The longest pause of our spinning thread, where microseconds mean something."""
    check, most, thread = f"effect.cpu{cpu}.gap_us", baseline.limit("gap_us"), measured.thread(cpu)
    if most is None:
        return not_applicable(
            check, "emulated", f"{baseline.host_class}: pauses are not judged here, counts are"
        )
    if thread is None:
        return not_applicable(
            check, "not_in_plan", f"CPU {cpu} carries the engine, whose pauses are its own figures"
        )
    why, seen = str(baseline.entries["gap_us"]["source"]), float(thread["gap_max_ns"]) / 1000
    sets = {"expected": f"<= {most:g} us", "observed": f"{seen:.1f} us", "why": why}
    steal = measured.steal_percent(cpu)
    if steal > (baseline.limit("steal_percent") or 0):
        return unverifiable(check, "steal", f"the hypervisor took {steal:.1f} % of the window", **sets)
    if seen > most:
        return violated(check, "gap_over_budget", f"CPU {cpu} paused for {seen:.1f} us", **sets)
    return ok(check, f"CPU {cpu}: longest pause {seen:.1f} us", **sets)


JUDGES: dict[str, Judge] = {
    "timer_interrupts": timer_interrupts,
    "device_interrupts": device_interrupts,
    "interprocessor_interrupts": interprocessor_interrupts,
    "involuntary_switches": involuntary_switches,
    "major_faults": major_faults,
    "foreign_task": foreign_task,
    "gap_us": gap_us,
}


def better_than_untuned(measured: Measurement, untuned: Measurement | None, isolated: Cpus) -> Finding:
    """Isolated CPUs are disturbed less than before tuning, in ticks per second."""
    check, why = "effect.better_than_untuned", "a tuning that changes nothing measurable is only a risk"
    if untuned is None or not untuned.window_s or not measured.window_s:
        return not_applicable(check, "no_baseline", "no window was recorded before tuning", why=why)
    before, after = (
        sum(one.row("LOC", cpu) for cpu in isolated) / one.window_s for one in (untuned, measured)
    )
    sets = {"expected": f"< {before:.1f}/s", "observed": f"{after:.1f}/s", "why": why}
    said = f"timer interrupts on CPUs {list_of(isolated)}: {before:.1f}/s before, {after:.1f}/s now"
    if after >= before:
        return violated(check, "not_better_than_untuned", said, **sets)
    return ok(check, said, **sets)
