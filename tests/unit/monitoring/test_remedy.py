"""Remedies: every rule of the decision, each missing rule told by some row, what is never done."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import pytest

from monitoring import remedy as table
from monitoring.alerts import ALERTS
from monitoring.registry import METRICS
from monitoring.remedy import (
    REMEDIES,
    Action,
    Attempt,
    Case,
    Evidence,
    Look,
    Moment,
    Outcome,
    Probe,
    Verdict,
    decide,
    remedy_of,
)

NOW = 1_000_000.0
CASE = Case(alert="CollectorStale", host="engine-1", fingerprint="f1", starts_at="2026-12-01T10:00:00Z")
MOMENT = Moment(now_s=NOW, is_frozen=False, busy_with="", hosts=10, hosts_firing=1, acts=True)


def remedy(alert: str) -> table.Remedy:
    found = remedy_of(alert)
    assert found is not None
    return found


def look(
    alert: str = "CollectorStale",
    *,
    on_host: bool | None = True,
    elsewhere: bool | None = True,
    attempts: tuple[Attempt, ...] = (),
    **moment: Any,
) -> Look:
    return Look(
        case=dataclasses.replace(CASE, alert=alert),
        remedy=remedy(alert),
        evidence=Evidence(on_host=on_host, elsewhere=elsewhere),
        moment=dataclasses.replace(MOMENT, **moment),
        attempts=attempts,
    )


def attempt(
    ago_s: float,
    outcome: Outcome = Outcome.HELPED,
    *,
    host: str = "engine-2",
    case: str = "other",
    action: Action = Action.RESTART,
) -> Attempt:
    return Attempt(at_s=NOW - ago_s, host=host, case=case, action=action, outcome=outcome)


FAILED = Outcome.DID_NOT_HELP
ROWS: Sequence[tuple[str, Look, Verdict]] = (
    ("all is confirmed", look(), Verdict.ACT),
    ("it only observes", look(acts=False), Verdict.WOULD_ACT),
    ("the host says no", look(on_host=False), Verdict.HOLD),
    ("the host is not heard", look(on_host=None), Verdict.PAGE),
    ("nobody confirms", look(elsewhere=False), Verdict.HOLD),
    ("nobody can be asked", look(elsewhere=None), Verdict.PAGE),
    ("tried for this case", look(attempts=(attempt(5_000, case=CASE.id),)), Verdict.PAGE),
    ("observed for this case", look(attempts=(attempt(5, Outcome.OBSERVED, case=CASE.id),)), Verdict.ACT),
    ("just below the share", look(hosts_firing=5), Verdict.ACT),
    ("beyond the share", look(hosts_firing=6), Verdict.PAGE),
    ("the only host there is", look(hosts=1), Verdict.ACT),
    ("one failure in a day", look(attempts=(attempt(5_000, FAILED),)), Verdict.ACT),
    ("two failures in a day", look(attempts=(attempt(5_000, FAILED), attempt(86_399, FAILED))), Verdict.PAGE),
    (
        "two failures, one older",
        look(attempts=(attempt(5_000, FAILED), attempt(86_400, FAILED))),
        Verdict.ACT,
    ),
    ("the same host within 900 s", look(attempts=(attempt(899, host="engine-1"),)), Verdict.PAGE),
    ("the same host after 900 s", look(attempts=(attempt(900, host="engine-1"),)), Verdict.ACT),
    (
        "another action there",
        look(attempts=(attempt(9, host="engine-1", action=Action.ENGAGE_KILL),)),
        Verdict.ACT,
    ),
    ("two within the hour", look(attempts=(attempt(1_000), attempt(3_599))), Verdict.ACT),
    ("three within the hour", look(attempts=(attempt(1_000), attempt(2_000), attempt(3_599))), Verdict.PAGE),
    ("three, one before it", look(attempts=(attempt(1_000), attempt(2_000), attempt(3_600))), Verdict.ACT),
    ("safe in a session", look(is_frozen=True), Verdict.ACT),
    ("not safe in a session", look("ClockUnsynchronised", is_frozen=True), Verdict.HOLD),
    ("not safe, and no session", look("ClockUnsynchronised"), Verdict.ACT),
    ("a deploy runs", look(busy_with="alice"), Verdict.HOLD),
    ("a kill is confirmed", look("MemoryLost"), Verdict.ACT),
    ("a kill in a session and a deploy", look("MemoryLost", is_frozen=True, busy_with="a"), Verdict.ACT),
    ("a kill on every host", look("MemoryLost", hosts_firing=10), Verdict.ACT),
    ("a kill with the breaker open", look("MemoryLost", attempts=(attempt(5, FAILED),) * 4), Verdict.ACT),
    ("a kill that nobody confirms", look("MemoryLost", elsewhere=False), Verdict.HOLD),
    ("a kill that only observes", look("MemoryLost", acts=False), Verdict.WOULD_ACT),
)


@pytest.mark.parametrize(("row", "seen", "verdict"), ROWS, ids=[row for row, _, _ in ROWS])
def test_each_row_of_the_table(row: str, seen: Look, verdict: Verdict) -> None:
    found = decide(seen)
    assert found.verdict is verdict, found.reason
    assert found.reason


def test_without_any_one_rule_some_row_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table.RULES
    for rule in whole:
        monkeypatch.setattr(table, "RULES", tuple(one for one in whole if one is not rule))
        assert [row for row, seen, verdict in ROWS if decide(seen).verdict is not verdict], rule.__name__


@pytest.mark.parametrize(
    "change",
    [
        {"cooldown_s": 899},
        {"cooldown_s": 901},
        {"site_per_hour": 2},
        {"site_per_hour": 4},
        {"failures_open": 1},
        {"failures_open": 3},
        {"breaker_s": 86_399},
        {"breaker_s": 86_401},
        {"share_max": 0.4},
        {"share_max": 0.6},
    ],
)
def test_with_another_budget_some_row_goes_wrong(change: dict[str, Any]) -> None:
    budget = table.Budget(**change)
    rows = ((dataclasses.replace(seen, budget=budget), verdict) for _, seen, verdict in ROWS)
    assert [verdict for seen, verdict in rows if decide(seen).verdict is not verdict]


def test_nothing_acts_without_both_kinds_of_evidence() -> None:
    for one in REMEDIES:
        for on_host in (True, False, None):
            for elsewhere in (True, False, None):
                found = decide(look(one.alert, on_host=on_host, elsewhere=elsewhere)).verdict
                assert (found is Verdict.ACT) == (on_host is True and elsewhere is True)


def test_there_is_no_action_that_raises_risk() -> None:
    assert {action.name for action in Action} == {"RESTART", "ENGAGE_KILL"}


def test_every_remedy_is_for_an_alert_and_its_second_signal_is_another_metric() -> None:
    alerts = {alert.name: alert for alert in ALERTS}
    for one in REMEDIES:
        read = alerts[one.alert].condition.expression(1)
        assert one.confirmed_by.split("{")[0] not in read or 'job="host_slow"' in one.confirmed_by
        assert '"$host"' in one.confirmed_by
        assert set(re.findall(r"[a-z_]{2,}(?=\{)", one.confirmed_by)) <= METRICS.keys()
        assert one.why
        assert bool(one.unit) == (one.action is Action.RESTART)
    assert {one.probe for one in REMEDIES} == set(Probe)
    assert len({one.alert for one in REMEDIES}) == len(REMEDIES)
