"""The registry, the alerts and their budgets, held against each other and against the rooms they speak of."""

from __future__ import annotations

from typing import get_args

import pytest

from engine.contract.states import NUMBER, State
from inventory.words import HostClass, HostRole
from monitoring import alertmanager, alerts_page
from monitoring.alert import KEEP_FIRING_S, Alert, Severity
from monitoring.alerts import ALERTS, CONDITIONS, rendered, waiting
from monitoring.alerts_engine import HALTED
from monitoring.boards.every import shown
from monitoring.metric import HOST_CLASSES, Kind, Proof
from monitoring.prometheus import DENIED, FAST_COLLECTORS, SLOW_COLLECTORS
from monitoring.registry import METRICS

PAGE_BUDGET_MAX_S = 10


def test_classes_of_hosts_and_roles_are_those_of_the_inventory() -> None:
    assert set(HOST_CLASSES) == set(get_args(HostClass))
    assert {role for one in METRICS.values() for role in one.required_on} <= set(get_args(HostRole))


def test_the_state_that_an_alert_asks_for_is_that_of_the_contract() -> None:
    assert NUMBER[State.HALTED] == HALTED


def test_every_metric_of_an_alert_is_in_the_registry() -> None:
    assert {name for alert in ALERTS for name in alert.condition.metrics} <= METRICS.keys()


def test_every_metric_of_the_registry_is_read_by_something() -> None:
    read = {name for alert in ALERTS for name in alert.condition.metrics}
    assert set(METRICS) == read | shown()


@pytest.mark.parametrize("name", METRICS)
def test_a_name_says_its_unit_and_kind(name: str) -> None:
    one = METRICS[name]
    assert name.endswith("_total") == (one.kind is Kind.COUNTER)
    if one.unit == "s":
        assert "_seconds" in name
    if one.unit == "bytes":
        assert "_bytes" in name


def test_no_two_alerts_share_a_file() -> None:
    assert len({alert.file for alert in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("alert", CONDITIONS, ids=lambda alert: alert.name)
def test_a_page_is_within_ten_seconds_and_its_parts_are_its_budget(alert: Alert) -> None:
    producer = alert.producer
    parts = (producer.refresh_s, producer.job.interval_s, 1, alert.for_s, alert.threshold_age_s)
    wait = 0 if alert.severity is Severity.PAGE else 30
    assert alert.budget_s == sum(parts) + wait
    if alert.severity is Severity.PAGE and producer.job.interval_s == 1 and alert.name != "ClockOffset":
        assert alert.budget_s <= PAGE_BUDGET_MAX_S


@pytest.mark.parametrize("alert", CONDITIONS, ids=lambda alert: alert.name)
def test_an_alert_says_what_to_do_and_how_it_is_proven(alert: Alert) -> None:
    assert alert.action.endswith((".", "?"))
    assert alert.fault
    assert set(alert.thresholds) <= set(HOST_CLASSES)
    assert alert.thresholds


def test_an_alert_fires_longer_than_the_second_member_waits() -> None:
    assert alertmanager.PEER_TIMEOUT_S < KEEP_FIRING_S


def test_what_is_not_built_is_named_and_not_rendered() -> None:
    assert len(rendered()) + len(waiting()) == len(ALERTS)
    read = {name for alert in rendered() for name in alert.condition.metrics}
    assert not {name for name in read if METRICS[name].proof is Proof.NOT_BUILT}


def test_a_denied_collector_is_asked_for_by_no_job() -> None:
    assert not DENIED.keys() & {*FAST_COLLECTORS, *SLOW_COLLECTORS}


def test_the_page_of_alerts_is_current() -> None:
    assert alerts_page.PAGE.read_text() == alerts_page.page(), "python -m monitoring.alerts_page --write"


def test_every_alert_has_the_section_that_its_notification_names() -> None:
    heads = {line[3:].lower() for line in alerts_page.page().splitlines() if line.startswith("## ")}
    assert {alert.name.lower() for alert in ALERTS} <= heads
