"""Whether a rollout may move now: sessions of exchanges and local rules as values, and deny wins. Pure.

A session, a deny rule, or a stretch of which no calendar is known freezes. Where a site has allow rules, it
is also frozen outside all of them. Nothing lifts a deny. What makes trading safer is never frozen: a
rollback, a failover, a kill.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Action = Literal["rollout", "rollback", "failover", "kill"]
Kind = Literal["deny", "allow"]
Code = Literal["free", "always_passes", "deny", "outside_allowed"]
ACTIONS: tuple[Action, ...] = get_args(Action)
ALWAYS_PASS: frozenset[Action] = frozenset(("rollback", "failover", "kill"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One trading session, seconds since 1970 (UTC)."""

    exchange: str
    opens_s: int
    closes_s: int  # the first second after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time in which a rule speaks: [starts_s, ends_s)."""

    rule: str
    kind: Kind
    starts_s: int
    ends_s: int

    def covers(self, at_s: int) -> bool:
        """Whether the rule speaks at this second."""
        return self.starts_s <= at_s < self.ends_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Frozen or not, by which rules, and until when that holds."""

    is_frozen: bool
    code: Code
    rules: tuple[str, ...]
    until_s: int | None  # None: as far as the windows reach
    reason: str


def around(sessions: Iterable[Session], before_s: int, after_s: int) -> tuple[Window, ...]:
    """A deny window for each session, widened on both sides.

    Raises: ValueError for a negative margin, which would open the session itself.
    """
    if before_s < 0 or after_s < 0:
        raise ValueError("a margin around a session is not negative")
    return tuple(
        Window(
            rule=f"session of {one.exchange}",
            kind="deny",
            starts_s=one.opens_s - before_s,
            ends_s=one.closes_s + after_s,
        )
        for one in sessions
    )


def freeze_at(
    at_s: int, windows: Sequence[Window], *, reaches_s: int, needs_allow: bool, action: Action
) -> Freeze:
    """What holds at this second, and the first later second at which it does not.

    REACHES_S: as far as the windows are complete; of what is later nothing is said.
    NEEDS_ALLOW: the site has allow rules, so outside their windows it is frozen.
    """
    if action in ALWAYS_PASS:
        return Freeze(
            is_frozen=False,
            code="always_passes",
            rules=(),
            until_s=None,
            reason=f"a {action} is never frozen",
        )
    code, rules = _at(at_s, windows, needs_allow)
    until_s = next(
        (
            one
            for one in sorted(_edges(windows))
            if at_s < one < reaches_s
            and (_at(one, windows, needs_allow)[0] == "free") is not (code == "free")
        ),
        None,
    )
    match code:
        case "deny":
            reason = f"frozen by {', '.join(rules)}"
        case "outside_allowed":
            reason = "frozen: no allow rule opens this time"
        case _:
            reason = f"free by {', '.join(rules)}" if rules else "free: no session and no rule denies it"
    return Freeze(is_frozen=code != "free", code=code, rules=rules, until_s=until_s, reason=reason)


def _at(at_s: int, windows: Sequence[Window], needs_allow: bool) -> tuple[Code, tuple[str, ...]]:
    here = [one for one in windows if one.covers(at_s)]
    denies = tuple(dict.fromkeys(one.rule for one in here if one.kind == "deny"))
    allows = tuple(dict.fromkeys(one.rule for one in here if one.kind == "allow"))
    if denies:
        return "deny", denies
    if needs_allow and not allows:
        return "outside_allowed", ()
    return "free", allows


def _edges(windows: Iterable[Window]) -> set[int]:
    return {edge for one in windows for edge in (one.starts_s, one.ends_s)}
