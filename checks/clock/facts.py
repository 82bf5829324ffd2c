"""One look at a host's clock (clock.sh): sections below a mark that no answer can hold, as values. Pure.

A daemon that does not answer is None, never an empty list; an answer that is cut off is refused whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.clock.pmc import Ptp, parse_pmc
from checks.errors import CheckError

SYS_TIME_BIT = 25  # capability.h: CAP_SYS_TIME
NS = 1_000_000_000
_PROCESS = re.compile(r"([0-9]{1,10}) (/[!-~]{1,200}) ([0-9a-f]{16})")
_SECONDS = re.compile(r"[+-]?[0-9]{1,12}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSource:
    """A server of the watchdog (`chronyc -c sources`): this clock minus the server's, and its bound.

    `reach` is the last eight polls as bits, `age_s` the age of the last sample.
    """

    address: str
    stratum: int
    reach: int
    age_s: int
    offset_ns: int
    error_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timekeeper:
    """A running program that keeps time, by the kernel's word, and whether it may set the system clock."""

    pid: int
    program: str
    may_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts:
    """What one host showed of its clock at one moment."""

    at_utc_ns: int
    ptp: Ptp | None
    watch: tuple[WatchSource, ...] | None
    timekeepers: tuple[Timekeeper, ...]
    granularity_ns: int | None


def parse_facts(text: str, mark: str) -> ClockFacts:
    """The look; CheckError when it is cut off or holds what no daemon prints."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        if line.startswith(f"{mark} "):
            current = sections.setdefault(line[len(mark) + 1 :], [])
        else:
            current.append(line)
    if "end" not in sections:
        raise CheckError("the look at the clock was cut off")
    now = "".join(sections.get("time", [])).strip()
    if not re.fullmatch(r"[0-9]{16,20}", now):
        raise CheckError(f"the host's time is {now[:40]!r}")
    ptp = parse_pmc("\n".join(sections.get("pmc", [])))
    is_silent = not ptp.statuses and ptp.parent is None and not ptp.ports
    return ClockFacts(
        at_utc_ns=int(now),
        ptp=None if is_silent else ptp,
        watch=_watch(sections.get("watch", [])),
        timekeepers=tuple(_timekeeper(line) for line in sections.get("processes", []) if line),
        granularity_ns=_granularity("".join(sections.get("granularity", []))),
    )


def _watch(lines: list[str]) -> tuple[WatchSource, ...] | None:
    rows = [line for line in lines if line.strip()]
    return tuple(parse_source(line) for line in rows) or None


def parse_source(line: str) -> WatchSource:
    """One line of `chronyc -c sources` (chronyc(1)); CheckError when it is none."""
    parts = line.split(",")
    if len(parts) != 10 or not all(re.fullmatch(r"[0-9]{1,9}", parts[at]) for at in (3, 5, 6)):
        raise CheckError(f"chronyc: no source: {line[:80]!r}")
    if not all(_SECONDS.fullmatch(parts[at]) for at in (8, 9)) or not re.fullmatch("[0-7]+", parts[5]):
        raise CheckError(f"chronyc: no source: {line[:80]!r}")
    return WatchSource(
        address=parts[2],
        stratum=int(parts[3]),
        reach=int(parts[5], 8),
        age_s=int(parts[6]),
        offset_ns=_ns(parts[8]),
        error_ns=_ns(parts[9]),
    )


def _ns(text: str) -> int:
    """Decimal seconds as whole nanoseconds, without a float between."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("+-").partition(".")
    return sign * (int(whole) * NS + int(part.ljust(9, "0")))


def _timekeeper(line: str) -> Timekeeper:
    found = _PROCESS.fullmatch(line)
    if found is None:
        raise CheckError(f"no process: {line[:80]!r}")
    may_set = bool(int(found[3], 16) >> SYS_TIME_BIT & 1)
    return Timekeeper(pid=int(found[1]), program=found[2], may_set=may_set)


def _granularity(text: str) -> int | None:
    """`.resolution: 1 nsecs` of /proc/timer_list (kernel/time/timer_list.c)."""
    found = re.search(r"([0-9]{1,9}) nsecs", text)
    return int(found[1]) if found else None
