"""Rule files: one alert a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitoring.alert import EVALUATION_S, KEEP_FIRING_S, Alert, Severity
from monitoring.alerts_self import WATCHDOG
from monitoring.condition import duration
from monitoring.metric import HOST_CLASSES
from monitoring.yaml_text import Value, document

HEAD = "Written by `hft monitoring render`; do not edit, render again."
RUNBOOK = "docs/alerts.md"


def classes_by_threshold(alert: Alert) -> Mapping[float, tuple[str, ...]]:
    """Threshold -> the classes of host that have it."""
    found: dict[float, tuple[str, ...]] = {}
    for host_class, threshold in alert.thresholds.items():
        found[threshold] = (*found.get(threshold, ()), host_class)
    return found


def class_matcher(classes: Iterable[str]) -> str:
    """What selects targets of these classes; nothing where it is all of them."""
    wanted = sorted(classes)
    if wanted == sorted(HOST_CLASSES):
        return ""
    return f'host_class="{wanted[0]}"' if len(wanted) == 1 else f'host_class=~"{"|".join(wanted)}"'


def notes(alert: Alert) -> dict[str, str]:
    """What a notification says: where, what, what to do."""
    return {
        "summary": f"{{{{ $labels.host }}}}: {alert.summary}",
        "action": alert.action,
        "runbook": f"{RUNBOOK}#{alert.name.lower()}",
    }


def labels(alert: Alert) -> dict[str, str]:
    """What routing reads."""
    deploy = {"muted_by_deploy": "yes"} if alert.muted_by_deploy else {}
    return {"severity": alert.severity.value, **deploy, **alert.labels}


def rule_of(alert: Alert) -> Value:
    """The rule of one alert, each threshold beside the classes that have it."""
    each = (
        alert.condition.expression(threshold, class_matcher(classes))
        for threshold, classes in classes_by_threshold(alert).items()
    )
    return {
        "alert": alert.name,
        "expr": " or ".join(each),
        **({"for": duration(alert.for_s)} if alert.for_s else {}),
        "keep_firing_for": duration(KEEP_FIRING_S),
        "labels": labels(alert),
        "annotations": notes(alert),
    }


def group(name: str, rules: list[Value]) -> Value:
    """A file with one group."""
    return {"groups": [{"name": name, "interval": duration(EVALUATION_S), "rules": rules}]}


def watchdog() -> Value:
    """An alert that always fires: the receiver outside of the site pages when it stops to hear it."""
    return {
        "alert": WATCHDOG,
        "expr": "vector(1)",
        "labels": {"severity": Severity.WATCHDOG.value},
        "annotations": {"summary": "alerting works, from Prometheus to the receiver"},
    }


def all_rules(alerts: Iterable[Alert]) -> str:
    """All of them as one file with a group for each: groups are evaluated apart, as files are."""
    rules = {alert.file: rule_of(alert) for alert in alerts} | {WATCHDOG: watchdog()}
    interval = duration(EVALUATION_S)
    return document(
        {"groups": [{"name": name, "interval": interval, "rules": [rule]} for name, rule in rules.items()]},
        head=HEAD,
    )


def rule_files(alerts: Iterable[Alert]) -> dict[str, str]:
    """Name of a file below `rules/` -> its text."""
    rules = {alert.file: rule_of(alert) for alert in alerts} | {WATCHDOG: watchdog()}
    return {f"{name}.yml": document(group(name, [rule]), head=HEAD) for name, rule in rules.items()}
