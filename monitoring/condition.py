"""The shapes of a condition: how it reads in PromQL, and which samples make its value exactly V.

An alert names a shape instead of writing PromQL twice, once as a rule and once as a test: from the same value
come the expression and, for any value on either side of the threshold, the samples that produce it. So the
tests of every rule sit on its edges (monitoring/cases.py), where a wrong threshold or comparison shows.

PromQL: https://prometheus.io/docs/prometheus/latest/querying/basics; samples are written as promtool(1) reads
them: `A+BxN` is A and N more samples, each B above the one before, one a tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Comparison: TypeAlias = Literal[">", "<", "==", "!="]
Phases: TypeAlias = Sequence[tuple[float, int]]  # value, ticks
TICKS_S = ((300, 15), (60, 5), (0, 1))  # windows from the first number on have samples as far apart
Labels: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One series of a test: its metric, labels besides those of the target, and its values."""

    metric: str
    labels: Labels
    values: str


def number(value: float) -> str:
    """A number as PromQL and promtool read it; the same value always gives the same text."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)


def selector(metric: str, *matchers: str) -> str:
    """`metric{...}`, or the bare name where nothing is selected."""
    inside = ",".join(one for one in matchers if one)
    return f"{metric}{{{inside}}}" if inside else metric


def steady(phases: Phases) -> str:
    """Each value for its ticks, one after the other."""
    return " ".join(f"{number(value)}+0x{ticks - 1}" for value, ticks in phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A gauge, or its magnitude, beside a threshold."""

    metric: str
    op: Comparison = ">"
    matchers: str = ""
    labels: Labels = field(default_factory=dict)  # of a series that is selected
    decoy: Labels | None = None  # of one that MATCHERS leave out
    is_magnitude: bool = False
    lead: int = 0
    hold: int | None = None
    tick_s: int = 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.metric,)

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL, for targets that match."""
        chosen = selector(self.metric, *targets, self.matchers)
        return f"{f'abs({chosen})' if self.is_magnitude else chosen} {self.op} {number(threshold)}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """Samples whose value is that of each phase in turn; a magnitude is reached from below zero."""
        sign = -1 if self.is_magnitude else 1
        values = steady([(sign * value, seconds) for value, seconds in phases])
        return (Samples(metric=self.metric, labels=labels, values=values),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How much a counter grew in a window: it jumps once, after a whole window of nothing."""

    metric: str
    window_s: int
    op: Comparison = ">"
    matchers: str = ""
    labels: Labels = field(default_factory=dict)
    decoy: Labels | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.metric,)

    @property
    def tick_s(self) -> int:
        """Seconds between samples: promtool walks through a window sample by sample."""
        return tick_of(self.window_s)

    @property
    def lead(self) -> int:
        """Ticks before the jump."""
        return self.window_s // self.tick_s + 1

    @property
    def hold(self) -> int:
        """Ticks for which the window shows the jump, whether or not its ends count."""
        return self.window_s // self.tick_s - 1

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL."""
        chosen = selector(self.metric, *targets, self.matchers)
        return f"increase({chosen}[{duration(self.window_s)}]) {self.op} {number(threshold)}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """Only the first phase counts: what was counted falls out of the window by itself."""
        total = sum(ticks for _, ticks in phases)
        values = steady([(0, self.lead), (phases[0][0], self.hold + total)])
        return (Samples(metric=self.metric, labels=labels, values=values),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How long ago a time stamp was; its threshold is part of the alert's budget."""

    metric: str
    op: Comparison = ">"
    matchers: str = ""
    labels: Labels = field(default_factory=dict)
    decoy: Labels | None = None
    lead: int = 0
    hold: int | None = None
    tick_s: int = 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.metric,)

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL; the clocks of Prometheus and host must agree far better than that."""
        return f"time() - {selector(self.metric, *targets, self.matchers)} {self.op} {number(threshold)}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """Time stamps that stay as far behind a clock that begins at 0."""
        parts, now = [], 0
        for age, seconds in phases:
            parts.append(f"{number(now - age)}+1x{seconds - 1}")
            now += seconds
        return (Samples(metric=self.metric, labels=labels, values=" ".join(parts)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gauge or counter less another with the same labels, or, with a SHARE, its excess over that part.

    With share 0.1: `metric - 0.1 * other`.
    """

    metric: str
    other: str
    op: Comparison = ">"
    share: float = 1.0
    base: float = 0.0  # what OTHER is in the samples
    matchers: str = ""
    labels: Labels = field(default_factory=dict)
    decoy: Labels | None = None
    lead: int = 0
    hold: int | None = None
    tick_s: int = 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.metric, self.other)

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL."""
        mine = selector(self.metric, *targets, self.matchers)
        other = selector(self.other, *targets, self.matchers)
        part = other if self.share == 1 else f"{number(self.share)} * {other}"
        return f"{mine} - {part} {self.op} {number(threshold)}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """OTHER stays at its base."""
        base = self.share * self.base
        total = sum(seconds for _, seconds in phases)
        return (
            Samples(
                metric=self.metric,
                labels=labels,
                values=steady([(base + value, seconds) for value, seconds in phases]),
            ),
            Samples(metric=self.other, labels=labels, values=steady([(self.base, total)])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """The share of events beyond a bucket's edge, over a long and a short window, while there are events.

    Both windows must be beyond the threshold: the long one has seen enough, the short one says that it goes
    on (multi-window, multi-burn-rate alerts: https://sre.google/workbook/alerting-on-slos). A share of few
    events is no share: below `floor_per_s` nothing is judged.
    """

    histogram: str
    le: str
    long_s: int
    short_s: int
    floor_per_s: float
    labels: Labels = field(default_factory=dict)
    decoy: Labels | None = None
    op: Comparison = ">"

    per_tick = 100_000

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.histogram,)

    @property
    def tick_s(self) -> int:
        """Seconds between samples."""
        return tick_of(self.long_s)

    @property
    def lead(self) -> int:
        """The long window has to be full of one rate."""
        return self.long_s // self.tick_s + 1

    @property
    def hold(self) -> int | None:
        """As long as the rate lasts."""
        return None

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL: labels other than those of one engine do not matter."""
        shares = (self._share(window, threshold, targets) for window in (self.long_s, self.short_s))
        count = selector(f"{self.histogram}_count", *targets)
        floor = f"rate({count}[{duration(self.short_s)}]) > {number(self.floor_per_s)}"
        return " and ".join([*shares, floor])

    def _share(self, window_s: int, threshold: float, targets: Sequence[str]) -> str:
        window = duration(window_s)
        good = selector(f"{self.histogram}_bucket", *targets, f'le="{self.le}"')
        count = selector(f"{self.histogram}_count", *targets)
        share = f"1 - rate({good}[{window}]) / ignoring (le) rate({count}[{window}])"
        return f"{share} {self.op} {number(threshold)}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """The first phase's share for all of the test."""
        ticks = self.lead + sum(ticks for _, ticks in phases)
        good = round(self.per_tick * (1 - phases[0][0]))
        return (
            Samples(
                metric=f"{self.histogram}_bucket",
                labels={**labels, "le": self.le},
                values=f"0+{good}x{ticks}",
            ),
            Samples(metric=f"{self.histogram}_count", labels=labels, values=f"0+{self.per_tick}x{ticks}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A target that answers and exports WITNESS, and does not export METRIC for the same labels ON."""

    metric: str
    witness: str
    on: tuple[str, ...]
    matchers: str = ""  # of the witness
    labels: Labels = field(default_factory=dict)
    decoy: Labels | None = None
    op: Comparison = "=="
    lead: int = 0
    hold: int | None = None
    tick_s: int = 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.witness, self.metric)

    def expression(self, threshold: float, *targets: str) -> str:
        """The condition in PromQL."""
        witness = selector(self.witness, *targets, self.matchers)
        return f"{witness} {self.op} {number(threshold)} unless on ({', '.join(self.on)}) {self.metric}"

    def samples(self, phases: Phases, labels: Labels) -> tuple[Samples, ...]:
        """The witness alone; METRIC would be the cure."""
        return (Samples(metric=self.witness, labels=labels, values=steady(phases)),)


Condition: TypeAlias = Level | Growth | Age | Gap | Burn | Absent


def tick_of(window_s: int) -> int:
    """Seconds between the samples of a test with such a window."""
    return next(tick_s for window_from_s, tick_s in TICKS_S if window_s >= window_from_s)


def duration(seconds: int) -> str:
    """A duration as Prometheus writes it: `90s`, `5m`, `1h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
