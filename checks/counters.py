"""What the meter counted, parsed once into values: one window on one host, per CPU.

Whatever is missing, of another type or of another schema is an error here and nowhere later, so that no count
is ever taken for zero because it was not there. Judged are all rows of both tables, the spinner's `moved`,
`run_ns`, `gap_max_ns`, `involuntary` and `major_faults`, the same of the engine's threads with their
`run_delay_ns`, every other task's `run_ns` and switches, and the stolen ticks. For information only: `loops`
above zero, `tick_ns`, the histogram, the spinner's `voluntary` and `minor_faults` (locked memory), `new`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from checks.errors import CheckError
from checks.meter import Load
from checks.rows import EXCUSED, MESSAGES, X86_TICK, is_message, is_tick, missing

EVIDENCE = ("/proc/interrupts", "/proc/softirqs", "/proc/stat", "/proc/cmdline")
_CPU = re.compile(r"0|[1-9][0-9]{0,5}")
WRAP = 1 << 32  # the kernel's counters are unsigned int (struct kernel_stat, irq_cpustat_t)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spinner:
    """The load's own thread on a CPU; `gap_max_ns` is its longest pause, `run_ns` None with an old meter."""

    mode: str
    loops: int
    involuntary: int
    major_faults: int
    gap_max_ns: float
    moved: bool
    run_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RanTask:
    """Another task that ran on a CPU in the window: proc(5) counters, nanoseconds of its run and wait."""

    tid: int
    comm: str
    engine: bool
    kernel: bool
    voluntary: int
    involuntary: int
    run_ns: int
    run_delay_ns: int
    major_faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuCounters:
    """One CPU: its tick, rows of /proc/interrupts by kind, softirqs, its load, the others, stolen ticks.

    None is not known. A row in `unknown` came or went in the window, or has no column of this CPU.
    """

    ticks: int | None = None
    messages: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    softirqs: Mapping[str, int] = field(default_factory=dict)
    spinner: Spinner | None = None
    tasks: tuple[RanTask, ...] = ()
    steal_ticks: int | None = None
    unknown: frozenset[str] = frozenset()
    unknown_devices: frozenset[str] = frozenset()

    @property
    def engine_tasks(self) -> tuple[RanTask, ...]:
        """Those of the engine."""
        return tuple(task for task in self.tasks if task.engine)

    @property
    def shown(self) -> dict[str, int]:
        """Rows for people: the tick as LOC, every message, and what else counted anything."""
        rest = {row: count for row, count in {**self.messages, **self.others}.items() if count}
        return {X86_TICK: self.ticks or 0, **dict.fromkeys(MESSAGES, 0), **rest}


_NOTHING = CpuCounters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One window; `document` is the meter's whole answer, kept to be compared with later."""

    load: Load
    window_s: float = 0.0
    aborted: bool = False  # an engine task started there, so the load was stopped
    foreign_files: tuple[str, ...] = ()  # counter files that are not the kernel's own
    missing: tuple[str, ...] = ()  # rows that every kernel of this architecture prints
    cpus: Mapping[int, CpuCounters] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)  # row -> the kernel's words for it
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def cpu(self, cpu: int) -> CpuCounters:
        """One CPU's counters; of one that was not counted nothing is known."""
        return self.cpus.get(cpu, _NOTHING)

    def steal_percent(self, cpu: int) -> float:
        """Share of the window stolen by the hypervisor (in clock ticks of 10 ms)."""
        return (self.cpu(cpu).steal_ticks or 0) / self.window_s if self.window_s else 0.0


def parse_measurement(text: str, load: Load) -> Measurement:
    """The meter's answer; CheckError with its message when it measured nothing or is no answer of a meter."""
    try:
        document = json.loads(text)
        if repr(document["schema"]) != "1":  # true and 1.0 are none
            raise CheckError("the meter's answer has an unknown schema")
        if "error" in document:
            raise CheckError(f"meter: {document['error']}")
        return _measurement(document, load)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        cut = f"{type(error).__name__}: {str(error)[:80]}: {text[-120:]!r}"
        raise CheckError(f"the meter's answer is truncated or not of its form: {cut}") from error


def _measurement(document: Mapping[str, Any], load: Load) -> Measurement:
    seen = document["evidence"]
    foreign = tuple(path for path in sorted({*EVIDENCE, *seen}) if seen.get(path) != "procfs")
    if foreign:  # nothing was counted on files that anybody could have written
        return Measurement(load=load, foreign_files=foreign, document=document)
    rows, softirqs = _once(document["interrupts"]), _once(document["softirqs"])
    return Measurement(
        load=load,
        window_s=_count(document["window_ns"]) / 1e9,
        aborted=document["aborted"] is not None,
        missing=missing([(row, _text(one["name"])) for row, one in rows.items()], softirqs.keys()),
        cpus=_cpus(document, list(rows.values()), list(softirqs.values())),
        names={row: _text(one["name"]) for row, one in rows.items()},
        document=document,
    )


def _once(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows by their number or abbreviation; the kernel prints each once."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in rows:
        row = _text(one["id"])
        if row in found:
            raise ValueError(f"the row {row} stands twice")
        found[row] = one
    return found


def _cpus(
    document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], softirqs: Sequence[Mapping[str, Any]]
) -> dict[int, CpuCounters]:
    spinners = {_count(one["cpu"]): _spinner(one) for one in document["cpus"]}
    if len(spinners) != len(document["cpus"]):
        raise ValueError("a CPU has two threads of the load")
    stolen = {_number(cpu): None if n is None else _count(n) for cpu, n in document["steal_ticks"].items()}
    counted = {_number(cpu) for row in (*rows, *softirqs) for cpu in row["delta"]}
    tasks: dict[int, list[RanTask]] = {}
    for one in document["tasks"]:
        tasks.setdefault(_count(one["cpu"]), []).append(_task(one))
    return {
        cpu: _cpu(cpu, rows, softirqs, spinners.get(cpu), tuple(tasks.get(cpu, ())), stolen.get(cpu))
        for cpu in sorted(counted | spinners.keys() | tasks.keys() | stolen.keys())
    }


def _cpu(  # noqa: PLR0913, PLR0917  # the parts of one CPU
    cpu: int,
    rows: Sequence[Mapping[str, Any]],
    softirqs: Sequence[Mapping[str, Any]],
    spinner: Spinner | None,
    tasks: tuple[RanTask, ...],
    stolen: int | None,
) -> CpuCounters:
    tick = [row for row in rows if is_tick(row["id"], row["name"])]
    devices = [row for row in rows if row["device"] is True and row not in tick]
    kernel = [row for row in rows if row["device"] is False and row not in tick and row["id"] not in EXCUSED]
    if len(tick) + len(devices) + len(kernel) + sum(row["id"] in EXCUSED for row in rows) != len(rows):
        raise ValueError("a row is neither a device nor the kernel's")
    ticks = [_delta(row, cpu) for row in tick]
    return CpuCounters(
        ticks=None if not ticks or None in ticks else sum(n for n in ticks if n is not None),
        messages=_known(((row["id"], row) for row in kernel if is_message(row["id"])), cpu),
        others=_known(((row["id"], row) for row in kernel if not is_message(row["id"])), cpu),
        devices={name: n for name, n in _known(((_name(row), row) for row in devices), cpu).items() if n},
        softirqs=_known(((row["id"], row) for row in softirqs), cpu),
        spinner=spinner,
        tasks=tasks,
        steal_ticks=stolen,
        unknown=frozenset(str(row["id"]) for row in (*tick, *kernel, *softirqs) if _delta(row, cpu) is None),
        unknown_devices=frozenset(_name(row) for row in devices if _delta(row, cpu) is None),
    )


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['id']} {row['name']}".strip()


def _known(rows: Iterable[tuple[str, Mapping[str, Any]]], cpu: int) -> dict[str, int]:
    """Name -> how many, of those that are known; the others are in `unknown`."""
    counts = ((name, _delta(row, cpu)) for name, row in rows)
    return {name: count for name, count in counts if count is not None}


def _delta(row: Mapping[str, Any], cpu: int) -> int | None:
    """What one CPU counted in a row; a difference of 64 bits is taken as the kernel counts, in 32."""
    count = row["delta"].get(str(cpu))
    if count is None:
        return None
    if WRAP <= _count(count) < (1 << 64) - WRAP or count >= 1 << 64:
        raise TypeError(f"not a count: {count!r}")
    return int(count % WRAP)


def _spinner(one: Mapping[str, Any]) -> Spinner:
    gap, ran = one["gap_max_ns"], one.get("run_ns")
    is_time = isinstance(gap, int | float) and not isinstance(gap, bool) and 0 <= gap < 1 << 64
    if not is_time or not isinstance(one["moved"], bool):
        raise TypeError(f"not a thread of the load: {str(one)[:60]!r}")
    return Spinner(
        mode=_text(one["mode"]),
        loops=_count(one["loops"]),
        involuntary=_count(one["involuntary"]),
        major_faults=_count(one["major_faults"]),
        gap_max_ns=gap,
        moved=one["moved"],
        run_ns=None if ran is None else _count(ran),
    )


def _task(one: Mapping[str, Any]) -> RanTask:
    counts = ("tid", "voluntary", "involuntary", "run_ns", "run_delay_ns", "major_faults")
    if not isinstance(one["engine"], bool) or not isinstance(one["kernel"], bool):
        raise TypeError(f"not a task: {str(one)[:60]!r}")
    return RanTask(
        comm=_text(one["comm"]),
        engine=one["engine"],
        kernel=one["kernel"],
        **{name: _count(one[name]) for name in counts},
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _number(text: str) -> int:
    """The CPU of a column, as the meter writes it: two spellings of one CPU would hide a count."""
    if _CPU.fullmatch(text) is None:
        raise TypeError(f"not a CPU: {text!r}")
    return int(text)


def _count(value: object) -> int:
    """A count; one that is no whole number, or negative, was not counted."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"not a count: {value!r}")
    return value
