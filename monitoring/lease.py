"""A deploy's silence as a lease: short, extended while the run lives, expired at its end.

A silence for the planned length of a deploy outlives the run that crashed. A lease lapses by itself three
minutes after its holder was last seen. It covers only alerts that a deploy may rightly cause
(`muted_by_deploy`): never the kill latch, the feed, drops or links. Times are RFC 3339; the document is that
of Alertmanager's API v2, `POST /api/v2/silences`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LEASE_S = 180
EXTEND_EVERY_S = 45  # three attempts fit into a lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Whom it is for and why; `id` is Alertmanager's once it was taken."""

    hosts: tuple[str, ...]
    holder: str
    reason: str
    begun: datetime
    id: str = ""

    def document(self, now: datetime) -> dict[str, object]:
        """What to post now, to take it or to extend it."""
        ends = now + timedelta(seconds=LEASE_S)
        return {
            **({"id": self.id} if self.id else {}),
            "matchers": [
                _matcher("muted_by_deploy", "yes"),
                _matcher("host", "|".join(re.escape(one) for one in self.hosts), is_pattern=True),
            ],
            "startsAt": self.begun.isoformat(),
            "endsAt": ends.isoformat(),
            "createdBy": self.holder,
            "comment": f"deploy lease: {self.reason}",
        }


def covered(hosts: Sequence[str], labels: dict[str, str]) -> bool:
    """Whether an alert with these labels is silent under a lease for HOSTS."""
    return labels.get("muted_by_deploy") == "yes" and labels.get("host") in hosts


def _matcher(name: str, value: str, *, is_pattern: bool = False) -> dict[str, object]:
    return {"name": name, "value": value, "isRegex": is_pattern, "isEqual": True}
