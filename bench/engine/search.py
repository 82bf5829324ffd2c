"""The highest rate without loss, in a few steps: up by half until something gives, then halve the distance.

Open loop: a generator that cannot keep up sends later than asked, and the rate it reached is the figure.
Going on would only measure the generator again, so the search ends there and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GROWTH = 1.5
FINE = 0.1  # the search ends when the best and the worst lie nearer than this share
PACE = 0.97  # less than this share of the rate asked for: the generator is the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One run: what was asked of the generator, what left it, and what got lost."""

    asked_per_s: int
    sent_per_s: float
    losses: tuple[str, ...]

    @property
    def kept_pace(self) -> bool:
        return self.sent_per_s >= PACE * self.asked_per_s


def next_rate(trials: Sequence[Probe], start_per_s: int, trials_max: int) -> int | None:
    """What to ask for next; None when the search is over."""
    if len(trials) >= trials_max:
        return None
    if not trials:
        return start_per_s
    good = max((trial.asked_per_s for trial in trials if not trial.losses), default=0)
    bad = min((trial.asked_per_s for trial in trials if trial.losses), default=0)
    if any(not trial.losses and not trial.kept_pace for trial in trials):
        return None
    if bad == 0:
        return int(good * GROWTH)
    if bad <= good or bad - good <= FINE * bad:
        return None
    return (good + bad) // 2


def found(trials: Sequence[Probe]) -> tuple[float, str]:
    """The highest rate that arrived whole, and what the limit was."""
    whole = [trial for trial in trials if not trial.losses]
    if not whole:
        return 0.0, "every trial lost something"
    best = max(whole, key=lambda trial: trial.sent_per_s)
    lost = [trial.asked_per_s for trial in trials if trial.losses]
    if not best.kept_pace:
        return best.sent_per_s, f"the generator reached no more; asked for {best.asked_per_s / 1e6:.2f} M/s"
    if lost:
        return best.sent_per_s, f"{min(lost) / 1e6:.2f} M/s lost something"
    return best.sent_per_s, "the last of the trials; more was not tried"
