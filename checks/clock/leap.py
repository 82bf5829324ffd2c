"""TAI minus UTC now, by the table of leap seconds of IERS as tzdata has it (leap-seconds.list). Pure."""

from __future__ import annotations

import re

# Seconds from 1900-01-01, in which the table counts (RFC 5905), to 1970-01-01.
NTP_TO_UNIX_S = 2_208_988_800
TABLE = "/usr/share/zoneinfo/leap-seconds.list"
_ROW = re.compile(r"([0-9]{10})\s+([0-9]{1,3})(?:\s|\Z)")
_EXPIRY = re.compile(r"#@\s*([0-9]{10})\s*\Z")


def tai_utc_s(table: str, now_s: int) -> int | None:
    """TAI minus UTC in seconds at NOW_S (since 1970); None for a table that has expired, or is none."""
    expiry, found = None, None
    for line in table.splitlines():
        if end := _EXPIRY.match(line):
            expiry = int(end[1]) - NTP_TO_UNIX_S
        elif (row := _ROW.match(line)) and int(row[1]) - NTP_TO_UNIX_S <= now_s:
            found = int(row[2])
    return None if expiry is None or now_s >= expiry else found
