"""The judges of one isolated CPU: each count or time of a window against the budget of the host class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from checks.baseline import Baseline
from checks.counters import Measurement
from checks.rows import cause_of
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated

CAUSE_OF_TICKS = "likely a second runnable task, missing nohz_full, a POSIX CPU timer or an unstable clock"

Judge = Callable[[int, Measurement, Baseline], Finding]


def _count(  # noqa: PLR0913, PLR0917  # shared by seven judges
    cpu: int, name: str, seen: int, measured: Measurement, baseline: Baseline, detail: str
) -> Finding:
    most = baseline.most(name, measured.window_s)
    check, words = f"effect.cpu{cpu}.{name}", name.replace("_", " ")
    sets = {"expected": f"<= {most}", "observed": str(seen), "why": str(baseline.entries[name]["source"])}
    said = f"CPU {cpu}: {seen} {words} in {measured.window_s:.0f} s"
    if seen > most:
        return violated(check, name, f"{said}; at most {most} allowed{detail and f'; {detail}'}", **sets)
    return ok(check, said, **sets)


def timer_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """A busy isolated CPU takes no tick."""
    seen = measured.cpu(cpu).ticks
    if seen is None:
        said = f"CPU {cpu}: its ticks were not counted"
        return unverifiable(f"effect.cpu{cpu}.timer_interrupts", "unmeasured", said)
    return _count(cpu, "timer_interrupts", seen, measured, baseline, CAUSE_OF_TICKS)


def device_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """No device interrupts an isolated CPU; what is known to be too many does not wait for the unknown."""
    counted = measured.cpu(cpu)
    devices = counted.devices
    detail = ", ".join(f"{name}: {count}" for name, count in devices.items())
    found = _count(cpu, "device_interrupts", sum(devices.values()), measured, baseline, detail)
    if (lost := counted.unknown_devices) and found.reason is None:
        gone = f"CPU {cpu}: {', '.join(sorted(lost))} came or went in the window, so its count is not known"
        return unverifiable(found.check, "unmeasured", gone)
    return found


def interprocessor_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """Other CPUs do not interrupt an isolated CPU."""
    return _rows(cpu, "interprocessor_interrupts", measured.cpu(cpu).messages, measured, baseline)


def other_interrupts(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """Nor does the machine: thermal, machine-check and spurious events, every other row."""
    return _rows(cpu, "other_interrupts", measured.cpu(cpu).others, measured, baseline)


def softirqs(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The kernel's deferred work runs elsewhere."""
    return _rows(cpu, "softirqs", measured.cpu(cpu).softirqs, measured, baseline)


def _rows(  # as _count
    cpu: int, name: str, rows: Mapping[str, int], measured: Measurement, baseline: Baseline
) -> Finding:
    causes = {row: cause_of(row, measured.names.get(row, "")) for row in rows}
    detail = ", ".join(
        f"{row} {count}{causes[row] and f' ({causes[row]})'}" for row, count in rows.items() if count
    )
    return _count(cpu, name, sum(rows.values()), measured, baseline, detail)


def involuntary_switches(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The thread was not preempted."""
    spinner, engine = measured.cpu(cpu).spinner, measured.cpu(cpu).engine_tasks
    seen = spinner.involuntary if spinner else sum(task.involuntary for task in engine)
    waited = sum(task.run_delay_ns for task in engine) / 1e6
    detail = f"it waited {waited:.1f} ms on the run queue" if engine else ""
    return _count(cpu, "involuntary_switches", seen, measured, baseline, detail)


def major_faults(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The thread took no major fault."""
    spinner, engine = measured.cpu(cpu).spinner, measured.cpu(cpu).engine_tasks
    seen = spinner.major_faults if spinner else sum(task.major_faults for task in engine)
    return _count(cpu, "major_faults", seen, measured, baseline, "")


def foreign_task(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """Nothing else ran there: no second thread at all, and per-CPU kernel threads only briefly.

    On an emulated host the run time of a kernel thread includes time stolen by the emulating machine: there
    its runs are counted, not its time.
    """
    check = f"effect.cpu{cpu}.foreign_task"
    budget = "foreign_runs" if "foreign_runs" in baseline.entries else "foreign_run_ms"
    most, why = baseline.most(budget, measured.window_s), str(baseline.entries[budget]["source"])
    ran = [task for task in measured.cpu(cpu).tasks if task.run_ns > 0]
    others, engine = [t for t in ran if not t.engine], [t for t in ran if t.engine]
    kernel = [task for task in others if task.kernel]
    kernel_ms = sum(task.run_ns for task in kernel) / 1e6
    runs = sum(task.voluntary + task.involuntary for task in kernel)
    crowd = engine if len(engine) > 1 else []
    names = ", ".join(f"{task.comm}[{task.tid}] {task.run_ns / 1e6:.1f} ms" for task in (*crowd, *others)[:6])
    unit = "runs" if budget == "foreign_runs" else "ms"
    expected = f"no user task, kernel threads <= {most} {unit}"
    sets = {"expected": expected, "observed": names or "none", "why": why}
    if crowd or len(others) > len(kernel):
        return violated(check, "foreign_task", f"CPU {cpu} was shared with {names}", **sets)
    if (runs if unit == "runs" else kernel_ms) > most:
        said = f"CPU {cpu} was preempted {runs} times, for {kernel_ms:.1f} ms, by {names}"
        return violated(check, "kthread_ran", f"{said}; at most {most} {unit} allowed", **sets)
    return ok(check, f"CPU {cpu}: no user task, kernel threads {runs} times, {kernel_ms:.1f} ms", **sets)


def starvation(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The thread ran: the load for nearly the whole window, a thread of the engine whenever it could."""
    check, spinner = f"effect.cpu{cpu}.starvation", measured.cpu(cpu).spinner
    if spinner is None:
        return _waited(check, cpu, measured, baseline)
    ran, stood = ran_percent(cpu, measured), spinner.gap_max_ns / 1e9
    least, why = baseline.limit("run_percent") or 0.0, str(baseline.entries["run_percent"]["source"])
    sets = {"expected": f">= {least:g} %", "observed": f"{ran:.1f} %", "why": why}
    said = f"CPU {cpu}: the test load ran at most {ran:.0f} % of the window and once stood {stood:.3g} s"
    if ran < least:
        return violated(check, "starved", said, **sets)
    return ok(check, f"CPU {cpu}: the test load ran", **sets)


def ran_percent(cpu: int, measured: Measurement) -> float:
    """The largest share of the window that the load on this CPU can have run; 0 where there was none."""
    spinner, window_ns = measured.cpu(cpu).spinner, measured.window_s * 1e9
    if spinner is None or not window_ns:
        return 0.0
    most = 100.0 - 100.0 * spinner.gap_max_ns / window_ns
    return max(0.0, most if spinner.run_ns is None else min(most, 100.0 * spinner.run_ns / window_ns))


def _waited(check: str, cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    engine = measured.cpu(cpu).engine_tasks
    most, why = (
        baseline.most("run_delay_ms", measured.window_s),
        str(baseline.entries["run_delay_ms"]["source"]),
    )
    slow = max(engine, key=lambda task: task.run_delay_ns, default=None)
    waited_ms = round(slow.run_delay_ns / 1e6) if slow else 0
    sets = {"expected": f"<= {most}", "observed": str(waited_ms), "why": why}
    if slow and waited_ms > most:
        said = f"CPU {cpu}: {slow.comm}[{slow.tid}] waited {waited_ms} ms for its CPU; at most {most} allowed"
        return violated(check, "starved", said, **sets)
    return ok(check, f"CPU {cpu}: the engine waited {waited_ms} ms for its CPU", **sets)


def gap_us(cpu: int, measured: Measurement, baseline: Baseline) -> Finding:
    """The longest pause of the spinning thread, where microseconds are meaningful."""
    check, most, thread = f"effect.cpu{cpu}.gap_us", baseline.limit("gap_us"), measured.cpu(cpu).spinner
    if most is None:
        return not_applicable(
            check, "emulated", f"{baseline.host_class}: counts are judged here, pauses are not"
        )
    if thread is None:
        return not_applicable(
            check, "not_in_plan", f"CPU {cpu} runs the engine, whose metrics report its pauses"
        )
    why, seen = str(baseline.entries["gap_us"]["source"]), thread.gap_max_ns / 1000
    sets = {"expected": f"<= {most:g} us", "observed": f"{seen:.1f} us", "why": why}
    if seen > most:
        return violated(check, "gap_over_budget", f"CPU {cpu} paused for {seen:.1f} us", **sets)
    return ok(check, f"CPU {cpu}: longest pause {seen:.1f} us", **sets)


JUDGES: dict[str, Judge] = {
    "timer_interrupts": timer_interrupts,
    "device_interrupts": device_interrupts,
    "interprocessor_interrupts": interprocessor_interrupts,
    "other_interrupts": other_interrupts,
    "softirqs": softirqs,
    "involuntary_switches": involuntary_switches,
    "major_faults": major_faults,
    "foreign_task": foreign_task,
    "starvation": starvation,
    "gap_us": gap_us,
}
