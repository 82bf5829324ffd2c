"""What a host, Alertmanager and the run record say to a remedy: yes, no, or that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from hft.remedies.evidence import OLD_S, VERB, answer_of, attempts_of, cases_of
from monitoring.alerts import ALERTS
from monitoring.remedy import Action, Outcome, Probe
from transport.answer import Completed


@pytest.mark.parametrize(
    ("probe", "said", "means"),
    [
        (Probe.UNIT_IS_DOWN, "LoadState=loaded\nActiveState=failed\n", True),
        (Probe.UNIT_IS_DOWN, "ActiveState=inactive\nLoadState=loaded\n", True),
        (Probe.UNIT_IS_DOWN, "LoadState=loaded\nActiveState=active\n", False),
        (Probe.UNIT_IS_DOWN, "LoadState=masked\nActiveState=inactive\n", False),
        (Probe.UNIT_IS_DOWN, "LoadState=not-found\nActiveState=inactive\n", False),
        (Probe.UNIT_IS_DOWN, "LoadState=error\nActiveState=inactive\n", None),
        (Probe.UNIT_IS_DOWN, "ActiveState=inactive\n", None),
        (Probe.UNIT_IS_DOWN, "", None),
        (Probe.UNIT_IS_DOWN, "System has not been booted\n", None),
        (Probe.TEXTFILE_IS_OLD, "absent\n", True),
        (Probe.TEXTFILE_IS_OLD, "6\n", True),
        (Probe.TEXTFILE_IS_OLD, "5\n", False),
        (Probe.TEXTFILE_IS_OLD, "-3\n", None),
        (Probe.TEXTFILE_IS_OLD, "6 7\n", None),
        (Probe.MEMORY_WAS_LOST, "0\n0\nend\n", False),
        (Probe.MEMORY_WAS_LOST, "0\n1\nend\n", True),
        (Probe.MEMORY_WAS_LOST, "end\n", None),
        (Probe.MEMORY_WAS_LOST, "0\n1\n", None),
        (Probe.MEMORY_WAS_LOST, "x\nend\n", None),
    ],
)
def test_an_answer_is_yes_no_or_unknown(probe: Probe, said: str, means: bool | None) -> None:
    assert answer_of(probe, Completed(returncode=0, stdout=said, stderr="")) is means


def test_the_age_is_that_of_the_alert() -> None:
    (alert,) = (one for one in ALERTS if one.name == "CollectorStale")
    assert set(alert.thresholds.values()) == {OLD_S}


def test_only_what_is_an_alert_of_a_host_is_a_case() -> None:
    good = {"labels": {"alertname": "A", "host": "h"}, "fingerprint": "f", "startsAt": "t"}
    rows: list[object] = [good, {**good, "labels": {"alertname": "A"}}, {**good, "startsAt": 3}, None, "x"]
    assert [one.id for one in cases_of(rows)] == ["f@t"]
    assert cases_of({"status": "error"}) == ()


def line(event: str, run: str, **facts: Any) -> dict[str, Any]:
    known = {"case": "c", "action": "restart"}
    return {
        "at": "2026-12-01T10:00:00+00:00",
        "event": event,
        "verb": VERB,
        "run": run,
        "host": "h",
        "facts": known | facts,
    }


def test_an_attempt_that_never_ended_did_not_help() -> None:
    lines = [line("begun", "1"), line("host", "1", outcome="helped"), line("begun", "2")]
    assert [one.outcome for one in attempts_of(lines)] == [Outcome.HELPED, Outcome.DID_NOT_HELP]
    assert {one.action for one in attempts_of(lines)} == {Action.RESTART}


@pytest.mark.parametrize(
    "broken",
    [{"verb": "apply"}, {"event": "opened"}, {"facts": {}}, {"host": 3}, {"at": "yesterday"}],
)
def test_other_lines_are_no_attempts(broken: dict[str, Any]) -> None:
    assert attempts_of([line("host", "1", outcome="helped") | broken]) == ()
    assert attempts_of([line("host", "1", action="reboot")]) == ()
