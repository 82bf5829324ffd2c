"""Our calendars in figures that anybody can check on an exchange's own page: short days, and how many."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from release.calendars import CALENDARS, Calendar

# Sessions that end early, month-day and local time, and the number of sessions of a year.
SHORT = {
    ("XNYS", 2026): {"11-27": "13:00", "12-24": "13:00"},
    ("XNYS", 2027): {"11-26": "13:00"},
    ("XNAS", 2026): {"11-27": "13:00", "12-24": "13:00"},
    ("XLON", 2026): {"12-24": "12:30", "12-31": "12:30"},
}
SESSIONS = {("XNYS", 2026): 251, ("XNYS", 2027): 251, ("XNAS", 2026): 251, ("XLON", 2026): 253}
HOURS = {"XNYS": ("09:30", "16:00"), "XNAS": ("09:30", "16:00"), "XLON": ("08:00", "16:30")}


def closes(calendar: Calendar, year: int) -> dict[str, str]:
    """Every session of a year and when it ends."""
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    ends = {f"{day:%m-%d}": calendar.closes_on(day) for day in days}
    return {day: f"{end:%H:%M}" for day, end in ends.items() if end is not None}


@pytest.mark.parametrize(("mic", "year"), SESSIONS)
def test_sessions_short_days_and_hours_are_the_exchanges(mic: str, year: int) -> None:
    calendar = CALENDARS[mic]
    found, (opens, ends) = closes(calendar, year), HOURS[mic]
    assert len(found) == SESSIONS[mic, year]
    assert {day: end for day, end in found.items() if end != ends} == SHORT[mic, year]
    assert (f"{calendar.opens:%H:%M}", f"{calendar.closes:%H:%M}") == (opens, ends)


@pytest.mark.parametrize("calendar", CALENDARS.values(), ids=lambda one: one.mic)
def test_nothing_is_said_of_a_day_that_is_not_known(calendar: Calendar) -> None:
    for day in (calendar.known_from - timedelta(days=1), calendar.known_to + timedelta(days=1)):
        with pytest.raises(KeyError):
            calendar.closes_on(day)
    assert {year for mic, year in SESSIONS if mic == calendar.mic} == {
        *range(calendar.known_from.year, calendar.known_to.year + 1)
    }
