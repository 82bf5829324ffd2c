"""What a dashboard is made of: boards, panels, queries, lines of a budget, marks of a deploy.

`$host` in an expression stands for the hosts that are looked at and `$step` for the seconds between two
points: each reader puts its own in their place. A rate is taken over `$step`, so that no event falls between
two points of a long range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from monitoring.alert import Alert
from monitoring.alerts import ALERTS
from monitoring.condition import Growth, selector
from monitoring.metric import BY_TEXTFILE
from monitoring.registry import metric

HOST = 'host=~"$host"'
STEP = "$step"
COLLECTED = "hft_collector_timestamp_seconds"
COLUMNS = 24  # of the grid that both readers lay panels on
SAMPLES_OF_A_RATE = 4  # in a window, or one lost scrape is a gap
STALE_SCRAPES = 5  # after that many intervals without a sample there is no data


class Shape(StrEnum):
    """How a panel is drawn."""

    LINES = "lines"
    TIMELINE = "timeline"  # a row a series, a coloured bar for each state
    STRIP = "strip"  # a row a series, a cell the darker the greater its value
    TILES = "tiles"  # the last value of each series, coloured
    TABLE = "table"  # the last value of each series, with its labels
    SILENCES = "silences"  # of Alertmanager, which has no metric for each


class Level(StrEnum):
    """What a colour means."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An expression, the metrics that it reads, and how a series is called: `{{label}}` is its value."""

    expression: str
    metrics: tuple[str, ...]
    legend: str

    @property
    def shown(self) -> str:
        """The expression without what is old.

        node_exporter goes on to export the last textfile of a collector that is dead or stopped, and would
        draw a flat line of it: what collectors count is shown only while they look.
        """
        by_textfile = [name for name in self.metrics if metric(name).producer in BY_TEXTFILE]
        if not by_textfile or COLLECTED in self.metrics:
            return self.expression
        return f"({self.expression}) and on (host) (time() - {selector(COLLECTED, HOST)} < {self.stale_s})"

    @property
    def interval_s(self) -> int:
        """Seconds between samples of the slowest metric in it."""
        return max(metric(name).producer.job.interval_s for name in self.metrics)

    @property
    def stale_s(self) -> int:
        """Seconds without a sample after which it reads `no data`."""
        return STALE_SCRAPES * self.interval_s + metric(self.metrics[0]).producer.refresh_s

    @property
    def least_step_s(self) -> int:
        """The least that `$step` may be."""
        return SAMPLES_OF_A_RATE * self.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line across a panel: a budget or a threshold, and whose it is."""

    value: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. `states` gives a value its word and colour; `alerts` are those that judge it."""

    title: str
    shape: Shape
    unit: str
    description: str
    queries: tuple[Query, ...] = ()
    width: int = COLUMNS // 2
    height: int = 8
    limits: tuple[Limit, ...] = ()
    states: Mapping[int, tuple[str, Level]] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    empty: str = "no data"  # what no series means


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard. `marks` are drawn across all its panels."""

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    marks: tuple[Query, ...] = ()


def last(name: str, *matchers: str, legend: str = "{{host}}") -> Query:
    """The last value of each series."""
    return Query(expression=selector(name, HOST, *matchers), metrics=(name,), legend=legend)


def worst(name: str, *matchers: str, by: Sequence[str], legend: str) -> Query:
    """The greatest value within each step: a peak between two points is not lost."""
    chosen = f"max_over_time({selector(name, HOST, *matchers)}[{STEP}])"
    return Query(expression=f"max by ({', '.join(by)}) ({chosen})", metrics=(name,), legend=legend)


def rate(name: str, *matchers: str, by: Sequence[str], legend: str) -> Query:
    """Events in a second."""
    chosen = f"rate({selector(name, HOST, *matchers)}[{STEP}])"
    return Query(expression=f"sum by ({', '.join(by)}) ({chosen})", metrics=(name,), legend=legend)


def growth(name: str, *matchers: str, by: Sequence[str], legend: str) -> Query:
    """Events within each step."""
    chosen = f"increase({selector(name, HOST, *matchers)}[{STEP}])"
    return Query(expression=f"sum by ({', '.join(by)}) ({chosen})", metrics=(name,), legend=legend)


def age(name: str, *matchers: str, legend: str = "{{host}}") -> Query:
    """Seconds since a time stamp."""
    return Query(expression=f"time() - {selector(name, HOST, *matchers)}", metrics=(name,), legend=legend)


def limits_of(name: str) -> tuple[Limit, ...]:
    """The thresholds of an alert, one line for each; of a growth in a window as events in a second.

    Raises: StopIteration for an alert that does not exist.
    """
    alert = next(one for one in ALERTS if one.name == name)
    per = alert.condition.window_s if isinstance(alert.condition, Growth) else 1
    return tuple(
        Limit(value=value / per, text=f"{name}{_whose(alert, value)}")
        for value in sorted(set(alert.thresholds.values()))
        if value > 0
    )


def _whose(alert: Alert, value: float) -> str:
    if len(set(alert.thresholds.values())) == 1:
        return ""
    return f" ({', '.join(name for name, threshold in alert.thresholds.items() if threshold == value)})"
