"""Isolated CPUs: their interrupts by kind, the tasks that got them, the idle states they slept in.

All of it is read from files that one CPU can answer: no read here sends an interrupt to another CPU.
Sources: proc(5) for /proc/interrupts; Documentation/scheduler/sched-stats.rst;
Documentation/ABI/testing/sysfs-devices-system-cpu for cpuidle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.collect.sample import Sample, UnreadError, sample
from agent.host import HostRoot
from tuning.cpuset import CPU_DIR, CpuSet

INTERRUPTS, SCHEDSTAT = "/proc/interrupts", "/proc/schedstat"
# Rows that get a kind of their own; other rows of the kernel are `other`, numbered ones `device`.
KINDS = ("LOC", "RES", "CAL", "TLB", "IWI", "NMI", "PMI", "IPI")
# Machine check, thermal event, threshold and deferred error; MCP, the regular poll, is no event.
CHECKS = ("MCE", "TRM", "THR", "DFR")
SHALLOW_EXIT_US = 2
_ROW = re.compile(r"\s*([A-Za-z0-9]+):((?:\s+[0-9]+)+)")
_WHOLE = re.compile(r"[0-9]{1,20}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """/proc/interrupts: CPUs in the order of its columns, rows by their label."""

    cpus: tuple[int, ...]
    rows: Mapping[str, tuple[int, ...]]


def parse_interrupts(text: str) -> Table:
    """The table; rows without a column for each CPU, such as ERR, are left out.

    Raises: UnreadError where the head is none, or no row of a timer is there: it was cut.
    """
    head, _, body = text.partition("\n")
    names = head.split()
    if not names or not all(re.fullmatch(r"CPU[0-9]{1,6}", name) for name in names):
        raise UnreadError(f"{INTERRUPTS} begins with {head[:60]!r}")
    rows = {}
    for line in body.splitlines():
        match = _ROW.match(line)
        counts = tuple(int(word) for word in match[2].split()[: len(names)]) if match else ()
        if match and len(counts) == len(names):
            rows[match[1]] = counts
    if not rows:
        raise UnreadError(f"{INTERRUPTS} has no rows")
    return Table(cpus=tuple(int(name.removeprefix("CPU")) for name in names), rows=rows)


def kind_of(label: str) -> str:
    """The kind of a row by its label."""
    if label.isdigit():
        return "device"
    return next((kind for kind in KINDS if label.startswith(kind)), "other")


def interrupts(host: HostRoot, isolated: CpuSet) -> Iterator[Sample]:
    """Interrupts of every CPU, of isolated ones also by kind; machine checks of all.

    Raises: UnreadError.
    """
    table = parse_interrupts(needed(host, INTERRUPTS))
    for column, cpu in enumerate(table.cpus):
        total = sum(counts[column] for counts in table.rows.values())
        is_isolated = "1" if cpu in isolated else "0"
        yield sample("hft_cpu_interrupts_total", total, cpu=str(cpu), isolated=is_isolated)
        if cpu in isolated:
            kinds = dict.fromkeys((*KINDS, "device", "other"), 0)
            for label, counts in table.rows.items():
                kinds[kind_of(label)] += counts[column]
            for kind, count in kinds.items():
                yield sample("hft_isolated_cpu_interrupts_total", count, cpu=str(cpu), kind=kind)
    for label in CHECKS:
        if label in table.rows:
            yield sample("hft_machine_checks_total", sum(table.rows[label]), kind=label)


def switches(host: HostRoot, isolated: CpuSet) -> Iterator[Sample]:
    """Times that a task got an isolated CPU: the last number of its line, counted whether or not schedstats
    are enabled.

    Raises: UnreadError.
    """
    if not isolated:
        return
    found = {}
    for line in needed(host, SCHEDSTAT).splitlines():
        words = line.split()
        if re.fullmatch(r"cpu[0-9]{1,6}", words[0] if words else "") and len(words) >= 10:
            found[int(words[0].removeprefix("cpu"))] = whole(words[9], SCHEDSTAT)
    missing = sorted(set(isolated) - found.keys())
    if missing:
        raise UnreadError(f"{SCHEDSTAT} has no line of CPUs {missing}")
    for cpu in sorted(isolated):
        yield sample("hft_isolated_cpu_switches_total", found[cpu], cpu=str(cpu))


def idle(host: HostRoot, isolated: CpuSet) -> Iterator[Sample]:
    """Time of isolated CPUs in each idle state; deep is what takes longer than 2 us to leave.

    Raises: UnreadError.
    """
    for cpu in sorted(isolated):
        folder = f"{CPU_DIR}/cpu{cpu}/cpuidle"
        for state in host.listdir(folder):
            if not re.fullmatch(r"state[0-9]{1,3}", state):
                continue
            name, time_us, exit_us = (
                needed(host, f"{folder}/{state}/{part}").strip() for part in ("name", "time", "latency")
            )
            deep = whole(exit_us, folder) > SHALLOW_EXIT_US
            seconds = whole(time_us, folder) / 1e6
            depth = "deep" if deep else "shallow"
            yield sample("hft_cpuidle_seconds_total", seconds, cpu=str(cpu), state=name[:32], depth=depth)


def needed(host: HostRoot, path: str) -> str:
    """A file that must be there.

    Raises: UnreadError.
    """
    try:
        text = host.read(path)
    except OSError as error:
        raise UnreadError(f"{path}: {error.strerror}") from error
    if text is None:
        raise UnreadError(f"{path} is not there")
    return text


def whole(text: str, where: str) -> int:
    """A whole number of a kernel's file.

    Raises: UnreadError for anything else.
    """
    if not _WHOLE.match(text.strip()):
        raise UnreadError(f"{where} has {text[:40]!r} where a number belongs")
    return int(text)
