"""One alert: its condition with a threshold per host class, whom it wakes, and how soon that has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from monitoring.condition import Age, Condition
from monitoring.metric import HOST_CLASSES, Producer, Proof
from monitoring.registry import METRICS, metric

EVALUATION_S = 1
# How long an alert stays once its condition is over. It must outlive the second member's wait of the
# Alertmanager pair (monitoring/alertmanager.py), or a short fault is notified after its end.
KEEP_FIRING_S = 15


class Severity(StrEnum):
    """Whether somebody is woken."""

    PAGE = "page"
    TICKET = "ticket"
    WATCHDOG = "watchdog"


# How long Alertmanager collects before it sends.
GROUP_WAIT_S: Mapping[Severity, int] = {Severity.PAGE: 0, Severity.TICKET: 30, Severity.WATCHDOG: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`thresholds` are by host class; a class that is not in it has no such alert.

    `step` is the smallest difference that matters: tests stand that far beyond the threshold. `fault` is what
    one does to see it fire.
    """

    name: str
    condition: Condition
    thresholds: Mapping[str, float]
    severity: Severity
    summary: str
    action: str
    fault: str
    for_s: int = 0
    step: float = 1
    muted_by_deploy: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)  # besides severity

    @property
    def file(self) -> str:
        """Name of its rule file: one alert a file, since promtool evaluates whole files for every case."""
        return "-".join([self.name, *self.labels.values()])

    @property
    def producer(self) -> Producer:
        """Who exports what it reads: the slowest, where there are several."""
        producers = [metric(name).producer for name in self.condition.metrics]
        return max(producers, key=lambda one: one.job.interval_s + one.refresh_s)

    @property
    def is_built(self) -> bool:
        """Whether all that it reads is exported by something that exists."""
        return all(metric(name).proof is not Proof.NOT_BUILT for name in self.condition.metrics)

    @property
    def threshold_age_s(self) -> float:
        """Seconds that have to pass until a condition on an age can hold."""
        is_age = isinstance(self.condition, Age) or self.condition.metrics[0].endswith("_age_seconds")
        return max(self.thresholds.values()) if is_age else 0

    @property
    def budget_s(self) -> float:
        """Seconds from the fault to the notification, at most: refresh + scrape + evaluation + `for` + age +
        group wait."""
        producer = self.producer
        seen = producer.refresh_s + producer.job.interval_s + EVALUATION_S
        return seen + self.for_s + self.threshold_age_s + GROUP_WAIT_S[self.severity]

    @property
    def receiver(self) -> str:
        """Who is told."""
        return self.severity.value

    @property
    def missing(self) -> tuple[str, ...]:
        """The metrics whose absence is an alert of its own."""
        return tuple(name for name in self.condition.metrics if METRICS[name].required_on)


def everywhere(threshold: float) -> Mapping[str, float]:
    """The same threshold on every class of host."""
    return dict.fromkeys(HOST_CLASSES, threshold)


def by_class(*, bare_metal: float, cloud: float, lab_vm: float) -> Mapping[str, float]:
    """One threshold for each class of host."""
    return {"bare-metal": bare_metal, "cloud": cloud, "lab-vm": lab_vm}
