"""Alerts on monitoring itself: a watchdog that must always fire, broken rules, a torn pair, missing data."""

from __future__ import annotations

from monitoring.alert import Alert, Severity, everywhere
from monitoring.condition import Absent, Growth, Level
from monitoring.metric import Metric
from monitoring.registry import METRICS

PAGE, TICKET = Severity.PAGE, Severity.TICKET
WATCHDOG = "Watchdog"
NO_DATA = "NoData"

OWN = (
    Alert(
        name="RulesFail",
        condition=Growth(
            metric="prometheus_rule_evaluation_failures_total",
            window_s=300,
            labels={"rule_group": "rules/HostDown.yml;HostDown"},
        ),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="Prometheus cannot evaluate {{ $labels.rule_group }}",
        action="What that group watches is not watched: `promtool check rules`, then reload.",
        fault="two series where a rule expects one",
    ),
    Alert(
        name="PrometheusOldConfiguration",
        condition=Level(metric="prometheus_config_last_reload_successful", op="=="),
        thresholds=everywhere(0),
        severity=TICKET,
        summary="Prometheus refused its new configuration and runs the old one",
        action="`promtool check config` names the line; `hft monitoring render` writes it anew.",
        fault="reload a broken file",
    ),
    Alert(
        name="AlertsUndelivered",
        condition=Growth(metric="prometheus_notifications_dropped_total", window_s=60),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="alerts reached no Alertmanager",
        action="Only the watchdog outside of the site tells this one: are both members down?",
        fault="stop both members",
    ),
    Alert(
        name="AlertmanagerDown",
        condition=Level(
            metric="up",
            op="==",
            matchers='job="alertmanager"',
            labels={"job": "alertmanager"},
            decoy={"job": "prometheus"},
        ),
        thresholds=everywhere(0),
        for_s=3,
        severity=PAGE,
        summary="one member of the Alertmanager pair does not answer",
        action="The other one still sends. `systemctl status prometheus-alertmanager` on the host.",
        fault="kill -9 of one member",
    ),
    Alert(
        name="AlertmanagerPairTorn",
        condition=Level(metric="alertmanager_cluster_members", op="<"),
        thresholds=everywhere(2),
        for_s=10,
        severity=TICKET,
        summary="a member of the Alertmanager pair does not see the other",
        action="Both send alone: expect each notification twice. Port 9094, TCP and UDP, between them.",
        fault="stop one member",
    ),
    Alert(
        name="AlertmanagerOldConfiguration",
        condition=Level(metric="alertmanager_config_last_reload_successful", op="=="),
        thresholds=everywhere(0),
        severity=TICKET,
        summary="Alertmanager refused its new configuration and runs the old one",
        action="`amtool check-config` names the line, or passes: then its own log does.",
        fault="reload a broken file",
    ),
    Alert(
        name="NotificationsFail",
        condition=Growth(
            metric="alertmanager_notifications_failed_total",
            window_s=60,
            labels={"integration": "webhook"},
        ),
        thresholds=everywhere(0),
        severity=PAGE,
        summary="{{ $labels.integration }} refuses notifications",
        action="The other receiver tells you this. Is the secret's file current?",
        fault="a receiver that answers 500",
    ),
)


def _no_data(one: Metric) -> Alert:
    roles = "|".join(one.required_on)
    return Alert(
        name=NO_DATA,
        labels={"metric": one.name},
        condition=Absent(
            metric=one.name,
            witness="up",
            on=("host",),
            matchers=f'job="{one.producer.job.name}",role=~"{roles}"',
            decoy={"role": "stranger"},
        ),
        thresholds=everywhere(1),
        for_s=10,
        severity=TICKET,
        summary=f"the host answers and does not export {one.name}",
        action="What watches it is blind, not content: " + _whose(one),
        fault="an exporter without it",
    )


def _whose(one: Metric) -> str:
    return f"it comes from {one.producer.name}."


def no_data(names: frozenset[str]) -> tuple[Alert, ...]:
    """An alert on the absence of each metric of NAMES that a host must have."""
    wanted = (METRICS[name] for name in sorted(names))
    return tuple(_no_data(one) for one in wanted if one.required_on and one.name != "up")
