"""What ptp4l says of itself, by pmc(8): the data sets of IEEE 1588 as values. Pure.

pmc prints one head a response and a line a field; a data set that did not come is None, and a field that
is no number where one belongs is a CheckError: half an answer is none. Read with linuxptp 3.1 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.errors import CheckError

IDENTITY = re.compile(r"[0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6}")
_HEAD = re.compile(
    r"([0-9a-f]{6}\.[0-9a-f]{4}\.[0-9a-f]{6}-[0-9]+) seq [0-9]+ RESPONSE MANAGEMENT ([A-Z0-9_]+)"
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,9})?")
_HEX = re.compile(r"0x[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStatus:
    """TIME_STATUS_NP: the last offset, this clock minus the grandmaster's, and whether there is one."""

    offset_ns: int
    ingress_time_ns: int
    has_grandmaster: bool
    grandmaster: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """PARENT_DATA_SET: who is followed, and what the grandmaster says of itself."""

    parent_port: str
    grandmaster: str
    clock_class: int
    clock_accuracy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PtpPort:
    """PORT_DATA_SET: one port and its state (IEEE 1588-2019, table 20)."""

    identity: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeProperties:
    """TIME_PROPERTIES_DATA_SET: TAI minus UTC, leap seconds to come, and where the time is from."""

    utc_offset_s: int
    is_utc_offset_valid: bool
    is_ptp_timescale: bool
    is_time_traceable: bool
    leap61: bool
    leap59: bool
    time_source: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """CURRENT_DATA_SET: how many clocks to the grandmaster, and how far it is."""

    steps_removed: int
    offset_ns: float
    path_delay_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ptp:
    """One answer of pmc; `statuses` are as many as were asked for."""

    statuses: tuple[TimeStatus, ...] = ()
    ports: tuple[PtpPort, ...] = ()
    parent: Parent | None = None
    properties: TimeProperties | None = None
    current: Current | None = None
    domain: int | None = None


@dataclass(slots=True)
class _Response:
    """The fields of one response."""

    name: str
    fields: dict[str, str] = field(default_factory=dict)

    def text(self, key: str, pattern: re.Pattern[str]) -> str:
        found = self.fields.get(key)
        if found is None or not pattern.fullmatch(found):
            raise CheckError(f"pmc: {self.name}: {key} is {(found or 'missing')[:40]!r}")
        return found

    def whole(self, key: str) -> int:
        return int(self.text(key, _WHOLE))

    def hexadecimal(self, key: str) -> int:
        return int(self.text(key, _HEX), 16)

    def flag(self, key: str) -> bool:
        found = self.text(key, re.compile("true|false|0|1"))
        return found in {"true", "1"}


def parse_pmc(text: str) -> Ptp:
    """The data sets of an answer; of one that came twice the last, of statuses and ports each."""
    statuses: list[TimeStatus] = []
    ports: dict[str, PtpPort] = {}
    found: dict[str, Any] = {}
    for one in _responses(text):
        if one.name == "TIME_STATUS_NP":
            statuses.append(_status(one))
        elif one.name == "PORT_DATA_SET":
            port = _port(one)
            ports[port.identity] = port
        elif one.name in _SINGLE:
            key, make = _SINGLE[one.name]
            found[key] = make(one)
    return Ptp(statuses=tuple(statuses), ports=tuple(ports.values()), **found)


def _responses(text: str) -> list[_Response]:
    found: list[_Response] = []
    for line in text.splitlines():
        words = line.split(None, 1)
        if head := _HEAD.match(line.strip()):
            found.append(_Response(head[2]))
        elif line.startswith("\t\t") and found and words:
            found[-1].fields[words[0]] = words[1].strip() if len(words) > 1 else ""
        elif line.strip() and not line.startswith("\t\t"):
            found.append(_Response(""))  # what pmc says of itself ends the response before it
    return found


def _status(one: _Response) -> TimeStatus:
    return TimeStatus(
        offset_ns=one.whole("master_offset"),
        ingress_time_ns=one.whole("ingress_time"),
        has_grandmaster=one.flag("gmPresent"),
        grandmaster=one.text("gmIdentity", IDENTITY),
    )


def _parent(one: _Response) -> Parent:
    return Parent(
        parent_port=one.text("parentPortIdentity", re.compile(IDENTITY.pattern + "-[0-9]+")),
        grandmaster=one.text("grandmasterIdentity", IDENTITY),
        clock_class=one.whole("gm.ClockClass"),
        clock_accuracy=one.hexadecimal("gm.ClockAccuracy"),
    )


def _port(one: _Response) -> PtpPort:
    identity = one.text("portIdentity", re.compile(IDENTITY.pattern + "-[0-9]+"))
    return PtpPort(identity=identity, state=one.text("portState", re.compile("[A-Z_]{1,32}")))


def _properties(one: _Response) -> TimeProperties:
    return TimeProperties(
        utc_offset_s=one.whole("currentUtcOffset"),
        is_utc_offset_valid=one.flag("currentUtcOffsetValid"),
        is_ptp_timescale=one.flag("ptpTimescale"),
        is_time_traceable=one.flag("timeTraceable"),
        leap61=one.flag("leap61"),
        leap59=one.flag("leap59"),
        time_source=one.hexadecimal("timeSource"),
    )


def _current(one: _Response) -> Current:
    return Current(
        steps_removed=one.whole("stepsRemoved"),
        offset_ns=float(one.text("offsetFromMaster", _DECIMAL)),
        path_delay_ns=float(one.text("meanPathDelay", _DECIMAL)),
    )


_SINGLE: Mapping[str, tuple[str, Any]] = {
    "PARENT_DATA_SET": ("parent", _parent),
    "TIME_PROPERTIES_DATA_SET": ("properties", _properties),
    "CURRENT_DATA_SET": ("current", _current),
    "DEFAULT_DATA_SET": ("domain", lambda one: one.whole("domainNumber")),
}
