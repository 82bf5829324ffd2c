"""The release file: which exchanges' sessions freeze a site's rollouts, and the site's own rules.

    site = "ny4"
    exchanges = ["XNYS", "XLON"]
    before_open_minutes = 120
    after_close_minutes = 15

    [[rules]]
    name = "year end"
    kind = "deny"                                  # or allow
    zone = "America/New_York"
    from = "2026-12-21 00:00"
    until = "2027-01-04 00:00"                     # the first minute after it

    [[rules]]
    name = "evenings"
    kind = "allow"
    zone = "America/New_York"
    days = ["mon", "tue", "wed", "thu"]
    times = "18:00-22:00"                          # over midnight where the second is not later

    [calendars.XETR]                               # one that is not built in, or dates beyond it
    zone = "Europe/Berlin"
    opens = "09:00"
    closes = "17:30"
    known_from = "2026-01-01"
    known_to = "2026-12-31"
    holidays = ["2026-01-01", "2026-04-03"]
    half_days = { "2026-12-30" = "14:00" }

A local time that a clock change skips or repeats is taken so that a deny is longer and an allow shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from hft.errors import Exit, HftError
from hft.toml_file import table_of
from inventory.suggest import nearest
from release.calendars import CALENDARS, Calendar
from release.freeze import Action, Freeze, Kind, Session, Window, around, freeze_at
from tuning.strict_json import ShapeError, Table

SIZE_MAX = 1 << 20
BACK_DAYS, AHEAD_DAYS = 3, 92  # what is told ahead; the windows reach two days further, in any zone
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MARGIN_MAX = 24 * 60
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of the site: once, or on days of the week."""

    name: str
    kind: Kind
    zone: ZoneInfo
    once: tuple[datetime, datetime] | None  # local, without a zone
    days: frozenset[int]  # 0 is Monday
    starts: time
    ends: time


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """Everything that the file says."""

    site: str
    calendars: tuple[Calendar, ...]
    before_s: int
    after_s: int
    rules: tuple[Rule, ...]

    @property
    def needs_allow(self) -> bool:
        """Whether it is frozen outside the allow rules."""
        return any(one.kind == "allow" for one in self.rules)

    def windows(self, at: datetime) -> tuple[Window, ...]:
        """Every window from some days before that moment to `AHEAD_DAYS` after it."""
        first = at.astimezone(UTC).date() - timedelta(days=BACK_DAYS)
        days = [first + timedelta(days=number) for number in range(BACK_DAYS + AHEAD_DAYS + 3)]
        found = [*around(_sessions(self.calendars, days), self.before_s, self.after_s)]
        found.extend(_unknown(self.calendars, days))
        for rule in self.rules:
            found.extend(_windows(rule, days))
        return tuple(found)

    def freeze(self, at: datetime, action: Action, *, needs_allow: bool = False) -> Freeze:
        """Whether it freezes ACTION at a moment (aware), and until when.

        NEEDS_ALLOW: outside of allow rules it is frozen even where the site has none.
        """
        at_s = int(at.timestamp())
        reaches_s = at_s + AHEAD_DAYS * 86_400
        return freeze_at(
            at_s,
            self.windows(at),
            reaches_s=reaches_s,
            needs_allow=needs_allow or self.needs_allow,
            action=action,
        )


def load_release_file(path: Path | None) -> ReleaseFile:
    """The file as values; HftError with one sentence when it cannot be used."""
    if path is None:
        raise HftError(Exit.BAD_INPUT, "no release file is named; hint: --file PATH, or set HFT_RELEASE")
    return table_of(path, release_file_from, size_max=SIZE_MAX)


def release_file_from(table: Table) -> ReleaseFile:
    """What the table says of freezes; its table `rollout` is read by hft/releases/file.py."""
    table.closed(
        ("site", "exchanges", "before_open_minutes", "after_close_minutes", "rules", "calendars", "rollout")
    )  # fmt: skip
    own = dict(_calendars(table)) if "calendars" in table.fields else {}
    known = {**CALENDARS, **own}
    names = table.texts("exchanges", size_max=16)
    if wrong := [one for one in names if one not in known]:
        raise ShapeError(f"exchanges: no calendar of {wrong[0]!r} is known{nearest(wrong[0], known)}")
    rules = tuple(_rule(one) for one in table.rows("rules")) if "rules" in table.fields else ()
    if not names and not rules:
        raise ShapeError("it names no exchange and no rule, so it would never freeze anything")
    return ReleaseFile(
        site=table.text("site", size_max=200),
        calendars=tuple(known[one] for one in dict.fromkeys(names)),
        before_s=60 * _minutes(table, "before_open_minutes"),
        after_s=60 * _minutes(table, "after_close_minutes"),
        rules=rules,
    )


def _minutes(table: Table, key: str) -> int:
    return table.integer(key, most=_MARGIN_MAX) if key in table.fields else 0


def _calendars(table: Table) -> Iterator[tuple[str, Calendar]]:
    for name, one in table.tables("calendars"):
        one.closed(("zone", "opens", "closes", "known_from", "known_to", "holidays", "half_days"))
        half = one.text_map("half_days") if "half_days" in one.fields else {}
        opens, closes = _read(one, "opens", time.fromisoformat), _read(one, "closes", time.fromisoformat)
        half_days = {
            _as(day, "half_days", date.fromisoformat): _as(at, "half_days", time.fromisoformat)
            for day, at in half.items()
        }
        if any(end <= opens for end in (closes, *half_days.values())):
            raise ShapeError(f"calendars.{name}: a session ends after it opens, on the same day")
        yield (
            name,
            Calendar(
                mic=name,
                zone=zone_of(one).key,
                opens=opens,
                closes=closes,
                known_from=_read(one, "known_from", date.fromisoformat),
                known_to=_read(one, "known_to", date.fromisoformat),
                holidays=frozenset(_as(day, "holidays", date.fromisoformat) for day in one.texts("holidays")),
                half_days=half_days,
            ),
        )


def _rule(table: Table) -> Rule:
    table.closed(("name", "kind", "zone", "from", "until", "days", "times"))
    name, kind = table.text("name", size_max=200), table.text("kind")
    if kind not in ("deny", "allow"):
        raise ShapeError(f"rules: {name}: kind: expected deny or allow, found {kind!r}")
    given = set(table.fields) - {"name", "kind", "zone"}
    if given not in ({"from", "until"}, {"days", "times"}):
        raise ShapeError(f"rules: {name}: expected from and until, or days and times")
    once, days, starts, ends = None, frozenset[int](), time(), time()
    if "from" in given:
        once = (_read(table, "from", datetime.fromisoformat), _read(table, "until", datetime.fromisoformat))
        if once[0].tzinfo or once[1].tzinfo or once[0] >= once[1]:
            raise ShapeError(f"rules: {name}: from is before until, both local times of its zone")
    else:
        words = table.texts("days")
        if not words or (wrong := [one for one in words if one not in DAYS]):
            raise ShapeError(f"rules: {name}: days: {wrong[0] if words else 'none'!r}{nearest('', DAYS)}")
        days = frozenset(DAYS.index(one) for one in words)
        first, _, second = table.text("times", size_max=11).partition("-")
        starts, ends = _as(first, "times", time.fromisoformat), _as(second, "times", time.fromisoformat)
    shown: Kind = "deny" if kind == "deny" else "allow"
    return Rule(name=name, kind=shown, zone=zone_of(table), once=once, days=days, starts=starts, ends=ends)


def _read(table: Table, key: str, reads: Callable[[str], Value]) -> Value:
    return _as(table.text(key, size_max=32), key, reads)


def _as(text: str, key: str, reads: Callable[[str], Value]) -> Value:
    try:
        return reads(text)
    except ValueError as error:
        raise ShapeError(f"{key}: {text!r} is no date or time; hint: 2026-12-24, 13:00") from error


def zone_of(table: Table) -> ZoneInfo:
    """The time zone that a table names; ShapeError for none."""
    name = table.text("zone", size_max=64)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ShapeError(f"zone: {name!r} is no time zone; hint: such as America/New_York") from error


def _sessions(calendars: tuple[Calendar, ...], days: list[date]) -> Iterator[Session]:
    for one in calendars:
        zone = ZoneInfo(one.zone)
        for day in days:
            closes = one.closes_on(day) if one.known_from <= day <= one.known_to else None
            if closes is not None:
                start, end = datetime.combine(day, one.opens), datetime.combine(day, closes)
                yield Session(
                    exchange=one.mic, opens_s=_second(start, zone, min), closes_s=_second(end, zone, max)
                )


def _unknown(calendars: tuple[Calendar, ...], days: list[date]) -> Iterator[Window]:
    """Days of which a calendar knows nothing are denied."""
    for one in calendars:
        zone, rule = ZoneInfo(one.zone), f"no calendar of {one.mic} outside {one.known_from}..{one.known_to}"
        for day in days:
            if not one.known_from <= day <= one.known_to:
                start = datetime.combine(day, time())
                yield _window(rule, "deny", zone, start, start + timedelta(days=1))


def _windows(rule: Rule, days: list[date]) -> Iterator[Window]:
    if rule.once is not None:
        yield _window(rule.name, rule.kind, rule.zone, *rule.once)
        return
    for day in days:
        if day.weekday() in rule.days:
            start, end = datetime.combine(day, rule.starts), datetime.combine(day, rule.ends)
            over = timedelta(days=1) if end <= start else timedelta()
            yield _window(rule.name, rule.kind, rule.zone, start, end + over)


def _window(rule: str, kind: Kind, zone: ZoneInfo, start: datetime, end: datetime) -> Window:
    early, late = (min, max) if kind == "deny" else (max, min)
    return Window(rule=rule, kind=kind, starts_s=_second(start, zone, early), ends_s=_second(end, zone, late))


def _second(local: datetime, zone: ZoneInfo, which: Callable[[int, int], int]) -> int:
    """Of the two readings of a local time (PEP 495): they differ where a clock change skips or repeats it."""
    first, second = (int(local.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    return which(first, second)
