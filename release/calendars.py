"""Trading days of exchanges as they publish them: sessions in local time, holidays, half days. Data, no I/O.

A calendar says for which dates it is known, and nothing is guessed beyond them. XNYS is from "NYSE Group
Announces 2025, 2026 and 2027 Holiday and Early Closings Calendar" (2024-11-08). XNAS has the same dates for
2026, and XLON those of the bank holidays of England and Wales with half days from 12:30 before Christmas and
New Year, which are the habits of these exchanges. All three are those of exchange_calendars 4.13.2, date by
date (tests/unit/release/test_calendars_elsewhere.py); XNAS and XLON were not compared with the exchange's own
list. Whoever trades there does that, or gives the dates in the site's release file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Monday to Friday but for `holidays`, from `opens` to `closes`, on half days to the time given there."""

    mic: str  # ISO 10383
    zone: str  # IANA time zone
    opens: time  # local
    closes: time
    known_from: date
    known_to: date  # the last date that is known
    holidays: frozenset[date]
    half_days: dict[date, time]

    def closes_on(self, day: date) -> time | None:
        """When the session of that date ends, local time; None without one.

        Raises: KeyError for a date that is not known.
        """
        if not self.known_from <= day <= self.known_to:
            raise KeyError(day)
        if day.weekday() > 4 or day in self.holidays:
            return None
        return self.half_days.get(day, self.closes)


def _days(year: int, *days: tuple[int, int]) -> frozenset[date]:
    return frozenset(date(year, month, day) for month, day in days)


_US_2026 = _days(
    2026, (1, 1), (1, 19), (2, 16), (4, 3), (5, 25), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25)
)  # fmt: skip
_US_2027 = _days(
    2027, (1, 1), (1, 18), (2, 15), (3, 26), (5, 31), (6, 18), (7, 5), (9, 6), (11, 25), (12, 24)
)  # fmt: skip
_UK_2026 = _days(2026, (1, 1), (4, 3), (4, 6), (5, 4), (5, 25), (8, 31), (12, 25), (12, 28))
_US_HALF_2026 = {date(2026, 11, 27): time(13), date(2026, 12, 24): time(13)}

XNYS = Calendar(
    mic="XNYS",
    zone="America/New_York",
    opens=time(9, 30),
    closes=time(16),
    known_from=date(2026, 1, 1),
    known_to=date(2027, 12, 31),
    holidays=_US_2026 | _US_2027,
    half_days={**_US_HALF_2026, date(2027, 11, 26): time(13)},
)
XNAS = Calendar(
    mic="XNAS",
    zone="America/New_York",
    opens=time(9, 30),
    closes=time(16),
    known_from=date(2026, 1, 1),
    known_to=date(2026, 12, 31),
    holidays=_US_2026,
    half_days=_US_HALF_2026,
)
XLON = Calendar(
    mic="XLON",
    zone="Europe/London",
    opens=time(8),
    closes=time(16, 30),
    known_from=date(2026, 1, 1),
    known_to=date(2026, 12, 31),
    holidays=_UK_2026,
    half_days={date(2026, 12, 24): time(12, 30), date(2026, 12, 31): time(12, 30)},
)
CALENDARS: dict[str, Calendar] = {one.mic: one for one in (XNYS, XNAS, XLON)}
