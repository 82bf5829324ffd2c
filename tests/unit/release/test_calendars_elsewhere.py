"""Our calendars beside those of the package exchange_calendars, date by date; skipped where it is absent.

It brings pandas, which no ops host needs, so it is no dependency: `pip install exchange_calendars` into a
throwaway environment beside this checkout and run this file.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from release.calendars import CALENDARS, Calendar

elsewhere: Any = pytest.importorskip(
    "exchange_calendars", reason="pip install exchange_calendars: it brings pandas, so it is no dependency"
)


@pytest.mark.parametrize("ours", CALENDARS.values(), ids=lambda one: one.mic)
def test_sessions_and_closes_are_those_of_exchange_calendars(ours: Calendar) -> None:
    theirs = elsewhere.get_calendar(
        ours.mic, start=ours.known_from.isoformat(), end=ours.known_to.isoformat()
    )
    closes = {
        session.date(): row["close"].to_pydatetime().astimezone(ZoneInfo(ours.zone)).time()
        for session, row in theirs.schedule.iterrows()
    }
    days = [
        ours.known_from + timedelta(days=number)
        for number in range((ours.known_to - ours.known_from).days + 1)
    ]
    differ = [
        f"{day}: ours {ours.closes_on(day)}, theirs {closes.get(day)}"
        for day in days
        if ours.closes_on(day) != closes.get(day)
    ]
    assert differ == []
