"""All alerts, and those whose metrics exist."""

from __future__ import annotations

from monitoring.alert import Alert
from monitoring.alerts_engine import ENGINE_ALERTS
from monitoring.alerts_gateway import GATEWAY_ALERTS
from monitoring.alerts_host import HOST_ALERTS
from monitoring.alerts_self import OWN, no_data

CONDITIONS = (*HOST_ALERTS, *ENGINE_ALERTS, *GATEWAY_ALERTS, *OWN)
NO_DATA_ALERTS = no_data(frozenset(name for alert in CONDITIONS for name in alert.condition.metrics))
ALERTS: tuple[Alert, ...] = (*CONDITIONS, *NO_DATA_ALERTS)


def rendered() -> tuple[Alert, ...]:
    """What Prometheus gets: an alert that can never fire would be a promise that nobody keeps."""
    return tuple(alert for alert in ALERTS if alert.is_built)


def waiting() -> tuple[Alert, ...]:
    """What is left out until its metrics are exported."""
    return tuple(alert for alert in ALERTS if not alert.is_built)
