"""A host's clock, judged: what it follows, how far off it is, who else says so, and who may set it. Pure.

An offset proves nothing by itself: without a grandmaster it reads 0, and one that lies is followed at 0. So
it counts only where the port follows, and servers that steer nothing here have to agree with it. How wrong
PTP may be at most is the offset plus the whole path delay, since a path may be all one way (IEEE 1588-2019,
7.4.2); how wrong NTP may be is what chronyd says of its own sample. RTS 25 (EU 2017/574) asks for the
divergence from UTC, the granularity of stamps, and traceability.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.clock.facts import NS, ClockFacts, Timekeeper, WatchSource
from checks.clock.pmc import Ptp
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from inventory.model import PtpEntry

LOCKED = frozenset({"SLAVE", "TIME_RECEIVER"})
FOLLOWS = LOCKED | {"UNCALIBRATED"}
GIVES = frozenset({"MASTER", "GRAND_MASTER", "TIME_TRANSMITTER"})
GRANULARITY_NS_MAX = 1_000
SAMPLE_AGE_S_MAX = 64  # four polls of the watchdog's slowest
WHY_UTC = "what is stamped here is evidence, and its error from UTC has a legal limit (RTS 25)"
WHY_WATCH = "a grandmaster that lies takes its whole domain along, at an offset of 0"
WHY_WRITER = "two that set one clock work against each other, and none lets it drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the look: when the clock last followed, and TAI minus UTC by a table of here."""

    locked_at_utc_ns: int | None = None
    tai_utc_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The clock against its grandmaster: the worst of the offsets, and how wrong it may be at most."""

    offset_ns: int
    path_delay_ns: int
    samples: int

    @property
    def error_ns(self) -> int:
        """The greatest error that these stamps allow."""
        return abs(self.offset_ns) + abs(self.path_delay_ns)


def reading_of(ptp: Ptp | None) -> Reading | None:
    """The offsets of a clock that follows a grandmaster; None for one that does not, whatever it shows."""
    if ptp is None or ptp.current is None or not ptp.statuses or not follows(ptp):
        return None
    worst = max((one.offset_ns for one in ptp.statuses), key=abs)
    return Reading(offset_ns=worst, path_delay_ns=round(ptp.current.path_delay_ns), samples=len(ptp.statuses))


def follows(ptp: Ptp) -> bool:
    """Whether a port follows a grandmaster, at every sample: the offset of one that does not is nothing."""
    seen = [one.has_grandmaster and one.ingress_time_ns != 0 for one in ptp.statuses]
    return bool(seen) and all(seen) and any(port.state in FOLLOWS for port in ptp.ports)


def clock_findings(entry: PtpEntry, facts: ClockFacts, known: Known) -> tuple[Finding, ...]:
    """Every finding of one host's clock; none where the inventory gives it no part in PTP."""
    if entry.role is None:
        return ()
    found = [_answers(entry, facts), *_following(entry, facts, known)]
    return (*found, _watch(entry, facts), _writer(facts), _granularity(facts))


def _answers(entry: PtpEntry, facts: ClockFacts) -> Finding:
    check, ptp = "clock.daemon", facts.ptp
    runs = [one for one in facts.timekeepers if one.program.endswith("/ptp4l")]
    if ptp is None and runs:
        said = f"ptp4l runs (pid {runs[0].pid}) and does not answer in domain {entry.domain}"
        return violated(check, "clock_domain", said, expected=f"domain {entry.domain}", why=WHY_UTC)
    if ptp is None:
        return violated(check, "clock_no_daemon", "no ptp4l runs", why=WHY_UTC)
    states = ", ".join(f"{port.identity} {port.state}" for port in ptp.ports)
    return ok(check, f"ptp4l answers in domain {entry.domain}: {states}", observed=states, why=WHY_UTC)


def _following(entry: PtpEntry, facts: ClockFacts, known: Known) -> Iterator[Finding]:
    ptp = facts.ptp
    if ptp is None:
        return
    if entry.role != "client":
        yield _gives(entry, ptp)
    if entry.role == "grandmaster":
        return
    reading = reading_of(ptp)
    if reading is None:
        yield _alone(entry, facts, known)
        return
    yield _grandmaster(entry, ptp)
    yield _servo(ptp)
    yield _offset(entry, reading)
    yield _traceable(ptp)
    yield _utc_offset(ptp, known)


def _gives(entry: PtpEntry, ptp: Ptp) -> Finding:
    wanted = 1 if entry.role == "grandmaster" else len(entry.serves)
    count = sum(port.state in GIVES for port in ptp.ports)
    sets = {"expected": f"{wanted} ports give time", "observed": str(count), "why": WHY_UTC}
    if count < wanted:
        said = f"{count} of {wanted} ports give time"
        return violated("clock.serves", "clock_not_serving", said, **sets)
    return ok("clock.serves", f"{count} ports give time", **sets)


def _alone(entry: PtpEntry, facts: ClockFacts, known: Known) -> Finding:
    """No grandmaster: for a while that is holdover, in which no offset is measured; then it is over."""
    check, limit = "clock.grandmaster", entry.holdover_s_max
    sets = {"expected": f"a grandmaster, or {limit} s without", "why": WHY_UTC}
    if known.locked_at_utc_ns is None:
        said = f"it follows no grandmaster in domain {entry.domain}, and no look ever saw it follow one"
        return violated(check, "clock_no_grandmaster", said, **sets)
    age_s = (facts.at_utc_ns - known.locked_at_utc_ns) / NS
    if 0 <= age_s <= limit:
        said = f"in holdover for {age_s:.1f} s of {limit} s: no grandmaster, so no offset is measured"
        return unverifiable(check, "clock_holdover", said, **sets)
    said = f"no grandmaster for {age_s:.1f} s, and holdover ends after {limit} s"
    return violated(check, "clock_no_grandmaster", said, **sets)


def _grandmaster(entry: PtpEntry, ptp: Ptp) -> Finding:
    check, seen = "clock.grandmaster", sorted({one.grandmaster for one in ptp.statuses})
    said = f"it follows {', '.join(seen)}"
    sets = {"expected": ", ".join(entry.grandmasters), "observed": ", ".join(seen), "why": WHY_UTC}
    if strangers := [one for one in seen if entry.grandmasters and one not in entry.grandmasters]:
        said = f"it follows {strangers[0]}, which the inventory does not name"
        return violated(check, "clock_other_grandmaster", said, **sets)
    return ok(check, said, **sets)


def _servo(ptp: Ptp) -> Finding:
    states = ", ".join(port.state for port in ptp.ports)
    if not any(port.state in LOCKED for port in ptp.ports):
        said = f"its port is {states}: the offset is measured, and nothing is kept by it yet"
        return unverifiable("clock.servo", "clock_not_locked", said, observed=states, why=WHY_UTC)
    return ok("clock.servo", f"its port is {states}: the servo is locked", observed=states, why=WHY_UTC)


def _offset(entry: PtpEntry, reading: Reading) -> Finding:
    limit_ns = entry.utc_error_us_max * 1000
    sets = {"expected": f"at most {limit_ns} ns", "observed": f"{reading.error_ns} ns", "why": WHY_UTC}
    said = (
        f"at most {reading.error_ns} ns from its grandmaster: offset {reading.offset_ns} ns (the worst of"
        f" {reading.samples}), path delay {reading.path_delay_ns} ns"
    )
    if reading.error_ns > limit_ns:
        return violated("clock.offset", "clock_offset", said, **sets)
    return ok("clock.offset", said, **sets)


def _traceable(ptp: Ptp) -> Finding:
    check, properties, parent = "clock.traceability", ptp.properties, ptp.parent
    if properties is None or parent is None:
        return unverifiable(
            check, "not_read", "the grandmaster's properties are not in the answer", why=WHY_UTC
        )
    chain = (
        f"{ptp.current.steps_removed if ptp.current else '?'} steps behind {parent.grandmaster}: class"
        f" {parent.clock_class}, accuracy {parent.clock_accuracy:#04x}, source {properties.time_source:#04x}"
    )
    if not properties.is_time_traceable:
        said = f"nobody says that the time is traceable to UTC; {chain}"
        return unverifiable(check, "clock_untraceable", said, observed=chain, why=WHY_UTC)
    return ok(check, f"traceable to UTC; {chain}", observed=chain, why=WHY_UTC)


def _utc_offset(ptp: Ptp, known: Known) -> Finding:
    """TAI minus UTC: a wrong one is an error of whole seconds that no offset shows."""
    check, properties = "clock.utc_offset", ptp.properties
    if properties is None:
        return unverifiable(check, "not_read", "TIME_PROPERTIES_DATA_SET is not in the answer", why=WHY_UTC)
    if not properties.is_ptp_timescale:
        said = "the grandmaster's timescale is its own, so no offset between TAI and UTC is applied"
        return not_applicable(check, "clock_own_timescale", said, why=WHY_UTC)
    sets = {"expected": str(known.tai_utc_s or ""), "observed": str(properties.utc_offset_s), "why": WHY_UTC}
    if not properties.is_utc_offset_valid:
        said = f"the grandmaster does not vouch for its TAI minus UTC of {properties.utc_offset_s} s"
        return unverifiable(check, "clock_utc_offset_unknown", said, **sets)
    if known.tai_utc_s is None:
        said = "the table of leap seconds here has expired, or there is none"
        return unverifiable(check, "clock_utc_offset_unknown", said, **sets)
    if properties.utc_offset_s != known.tai_utc_s:
        said = f"TAI minus UTC is announced as {properties.utc_offset_s} s and is {known.tai_utc_s} s"
        return violated(check, "clock_utc_offset", said, **sets)
    return ok(check, f"TAI minus UTC is {known.tai_utc_s} s, as announced", **sets)


def best_watch(facts: ClockFacts) -> WatchSource | None:
    """The server of the watchdog with the smallest bound, of those that answered lately."""
    alive = [one for one in facts.watch or () if one.reach and one.age_s <= SAMPLE_AGE_S_MAX]
    return min(alive, key=lambda one: (one.error_ns, one.address), default=None)


def _watch(entry: PtpEntry, facts: ClockFacts) -> Finding:
    check, limit_ns = "clock.watch", (entry.watch_us_max or entry.utc_error_us_max) * 1000
    best, reading = best_watch(facts), reading_of(facts.ptp)
    if best is None:
        said = "no server of the watchdog answered lately: nobody but PTP says what time it is"
        return unverifiable(check, "clock_watch_silent", said, why=WHY_WATCH)
    claimed_ns = 0 if reading is None else reading.offset_ns  # a clock that follows nobody claims to be right
    apart_ns = abs(best.offset_ns - claimed_ns)
    sets = {"expected": f"at most {limit_ns} ns", "observed": f"{apart_ns} ns", "why": WHY_WATCH}
    said = (
        f"{apart_ns} ns between PTP ({claimed_ns} ns) and {best.address} ({best.offset_ns} ns, within"
        f" {best.error_ns} ns)"
    )
    if apart_ns - best.error_ns > limit_ns:
        return violated(check, "clock_watch_disagrees", said, **sets)
    if apart_ns + best.error_ns > limit_ns:
        said += ": too coarse to prove the limit; name a nearer server, or a watch_us_max that it can hold"
        return unverifiable(check, "clock_watch_coarse", said, **sets)
    return ok(check, said, **sets)


def _writer(facts: ClockFacts) -> Finding:
    writers = tuple(one for one in facts.timekeepers if one.may_set)
    names = ", ".join(_name(one) for one in writers) or "none"
    sets = {"expected": "one", "observed": names, "why": WHY_WRITER}
    if len(writers) != 1:
        said = f"{len(writers)} programs may set the system clock: {names}"
        return violated("clock.writer", "clock_writers", said, **sets)
    return ok("clock.writer", f"{names} alone may set the system clock", **sets)


def _name(one: Timekeeper) -> str:
    return f"{one.program} (pid {one.pid})"


def _granularity(facts: ClockFacts) -> Finding:
    check, seen = "clock.granularity", facts.granularity_ns
    if seen is None:
        return unverifiable(check, "not_read", "the clock's resolution is not in the answer", why=WHY_UTC)
    sets = {"expected": f"at most {GRANULARITY_NS_MAX} ns", "observed": f"{seen} ns", "why": WHY_UTC}
    if seen > GRANULARITY_NS_MAX:
        return violated(check, "clock_granularity", f"the clock moves in steps of {seen} ns", **sets)
    return ok(check, f"the clock moves in steps of {seen} ns", **sets)
