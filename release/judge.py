"""Whether a candidate is no slower than the baseline: non-inferiority over restarts, at planned looks. Pure.

The unit is the restart, because two starts of one binary differ (memory layout, placement) by more than the
noise of a window: a test over messages or windows alarms at most A/A comparisons. Arms are interleaved ABBA,
so that a drift of the machine hits both; a pair is two restarts that follow each other. For each quantile, d
is the difference of the means of log quantiles of a pair's windows, and its bounds are one-sided t bounds
(Student) at the alpha that this look may spend (O'Brien and Fleming's shape: little early, most at the end).

PASS: the upper bound of every quantile is at or below its margin. That needs no correction, since all must
hold (intersection-union test, Berger 1982). FAIL: the lower bound of one is above its margin, by Holm's
procedure; or windows above a ceiling are more frequent than the baseline's by a rank test over restarts,
because a mean does not see a few windows that explode; or data are missing. Otherwise INCONCLUSIVE: extend,
at the end hold. Margins inside the spread of the stored A/A comparison are refused: nothing could be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from release.windows import QUANTILES, Restart, quantile_ns

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REFUSED"]
Code = Literal[
    "non_inferior",
    "slower",
    "ceiling",
    "missing_data",
    "extend",
    "hold",
    "spread",
    "not_interleaved",
    "releases",
]
Floats = NDArray[np.float64]
RANK_ALPHA = 0.003  # of the ceiling's rank test, at each look


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was planned before the first run."""

    margins: Mapping[str, float]  # relative: 0.05 is 5 %
    pairs_at: tuple[int, ...]  # at which number of pairs is looked
    alphas: tuple[float, ...]  # one-sided, of each look
    windows: int  # of each restart
    ceiling: float  # times the baseline's median p99


DESIGN = Design(
    margins={"p50": 0.02, "p99": 0.05, "p99.9": 0.10},
    pairs_at=(5, 10, 15),
    alphas=(0.0005, 0.012, 0.044),
    windows=20,
    ceiling=1.5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The spread of restarts of one and the same release, from a stored A/A comparison."""

    release: str
    restarts: int
    spread: Mapping[str, float]  # standard deviation of the restarts' mean log quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One quantile at the look that decided."""

    quantile: str
    margin: float
    estimate: float  # relative difference, 0.01 is 1 % slower
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome, its code, the sentence that says why, and the figures behind it."""

    outcome: Outcome
    code: Code
    reason: str
    pairs: int = 0
    bounds: tuple[Bound, ...] = ()
    breaches: tuple[int, int] = (0, 0)  # windows above the ceiling, baseline and candidate


def calibrate(restarts: Sequence[Restart]) -> Calibration:
    """The spread of restarts of one release; ValueError when it is none, or fewer than 10."""
    releases = {one.release for one in restarts}
    if len(releases) != 1 or len(restarts) < 10:
        raise ValueError(f"{len(restarts)} restarts of {len(releases)} releases; it takes 10 of one")
    means = log_quantiles(restarts).mean(axis=1)
    spread = dict(zip(QUANTILES, means.std(axis=0, ddof=1).tolist(), strict=True))
    return Calibration(release=releases.pop(), restarts=len(restarts), spread=spread)


def judge(restarts: Sequence[Restart], calibration: Calibration, design: Design = DESIGN) -> Judgement:
    """The judgement of these runs, in the order in which they ran."""
    fault = missing(restarts, design) or _refused(calibration, design)
    if fault is not None:
        return fault
    base = log_quantiles([one for one in restarts if one.arm == "baseline"])
    candidate = log_quantiles([one for one in restarts if one.arm == "candidate"])
    return judge_logs(base, candidate, design)


def missing(restarts: Sequence[Restart], design: Design) -> Judgement | None:
    """What is missing, which fails: whatever did not answer may be what was slow."""
    arms = "".join("A" if one.arm == "baseline" else "B" for one in restarts)
    if not arms or arms != ("ABBA" * len(arms))[: len(arms)] or len(arms) % 2:
        return _fail(
            "not_interleaved", f"the arms ran as {arms[:40] or 'nothing'}, not as ABBA in whole pairs"
        )
    for arm in ("baseline", "candidate"):
        if len({one.release for one in restarts if one.arm == arm}) != 1:
            return _fail("releases", f"the {arm} was not one release throughout")
    for number, one in enumerate(restarts):
        if len(one.windows) != design.windows:
            said = f"restart {number} has {len(one.windows)} windows, and {design.windows} were planned"
            return _fail("missing_data", said)
        lost = sum(max(0, window.intended - window.recorded) for window in one.windows)
        if lost or not all(window.recorded for window in one.windows):
            return _fail("missing_data", f"restart {number} has {lost} messages without an answer")
    if len(arms) // 2 < design.pairs_at[0]:
        said = f"{len(arms) // 2} pairs, and the first look is at {design.pairs_at[0]}"
        return Judgement(outcome="INCONCLUSIVE", code="extend", reason=said, pairs=len(arms) // 2)
    return None


def _fail(code: Code, reason: str) -> Judgement:
    return Judgement(outcome="FAIL", code=code, reason=reason)


def _refused(calibration: Calibration, design: Design) -> Judgement | None:
    for name, margin in design.margins.items():
        spread = calibration.spread[name]
        if not spread < math.log1p(margin):
            said = f"{name}: restarts of one release spread by {spread:.1%}, so {margin:.0%} tells nothing"
            return Judgement(outcome="REFUSED", code="spread", reason=said)
    return None


def log_quantiles(restarts: Sequence[Restart]) -> Floats:
    """Restarts x windows x quantiles."""
    rows = [
        [
            [math.log(max(1, quantile_ns(window, share))) for share in QUANTILES.values()]
            for window in one.windows
        ]
        for one in restarts
    ]
    return np.asarray(rows, dtype=np.float64)


def judge_logs(base: Floats, candidate: Floats, design: Design = DESIGN) -> Judgement:
    """The same from log quantiles: look after look, and the first that decides."""
    pairs = min(len(base), len(candidate))
    last = None
    for count, alpha in zip(design.pairs_at, design.alphas, strict=True):
        if pairs < count:
            break
        last = _looked(base[:count], candidate[:count], alpha, design)
        if last.outcome != "INCONCLUSIVE":
            return last
    if last is None:
        said = f"{pairs} pairs, and the first look is at {design.pairs_at[0]}"
        return Judgement(outcome="INCONCLUSIVE", code="extend", reason=said, pairs=pairs)
    return last


def _looked(base: Floats, candidate: Floats, alpha: float, design: Design) -> Judgement:
    count = len(base)
    differences = candidate.mean(axis=1) - base.mean(axis=1)
    centre = differences.mean(axis=0)
    error = differences.std(axis=0, ddof=1) / math.sqrt(count)
    limits = np.log1p(np.asarray([design.margins[name] for name in QUANTILES]))
    half = float(stats.t.ppf(1 - alpha, count - 1)) * error
    bounds = tuple(
        Bound(
            quantile=name,
            margin=design.margins[name],
            estimate=float(np.expm1(centre[at])),
            lower=float(np.expm1(centre[at] - half[at])),
            upper=float(np.expm1(centre[at] + half[at])),
        )
        for at, name in enumerate(QUANTILES)
    )
    breaches, is_over = _ceiling(base, candidate, design)
    found: dict[str, Any] = {"pairs": count, "bounds": bounds, "breaches": breaches}
    slower = _slower(centre, error, limits, count, alpha)
    if slower is not None:
        one = bounds[slower]
        said = (
            f"{one.quantile} is slower by more than {one.margin:.0%}: {one.estimate:+.1%}, at {count} pairs"
        )
        return Judgement(outcome="FAIL", code="slower", reason=said, **found)
    if is_over:
        said = (
            f"{breaches[1]} windows above {design.ceiling:g} times the usual p99, "
            f"and {breaches[0]} of the baseline"
        )
        return Judgement(outcome="FAIL", code="ceiling", reason=said, **found)
    open_ones = [one for at, one in enumerate(bounds) if centre[at] + half[at] > limits[at]]
    if not open_ones:
        said = f"no quantile is slower by more than its margin, at {count} pairs"
        return Judgement(outcome="PASS", code="non_inferior", reason=said, **found)
    is_last = count == design.pairs_at[-1]
    named = ", ".join(f"{one.quantile} up to {one.upper:+.1%}" for one in open_ones)
    said = f"{named} cannot be told from its margin at {count} pairs: {'hold' if is_last else 'extend'}"
    return Judgement(outcome="INCONCLUSIVE", code="hold" if is_last else "extend", reason=said, **found)


def _slower(centre: Floats, error: Floats, limits: Floats, count: int, alpha: float) -> int | None:
    """The quantile that is above its margin for certain, by Holm over all; None when none is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.nan_to_num(stats.t.sf((centre - limits) / error, count - 1), nan=1.0)
    smallest = int(np.argmin(values))
    return smallest if float(values[smallest]) <= alpha / len(values) else None


def _ceiling(base: Floats, candidate: Floats, design: Design) -> tuple[tuple[int, int], bool]:
    """Windows of each arm above the ceiling, and whether the candidate's are more by restarts."""
    at = list(QUANTILES).index("p99")
    ceiling = float(np.median(base[:, :, at])) + math.log(design.ceiling)
    before, after = (np.sum(one[:, :, at] > ceiling, axis=1) for one in (base, candidate))
    counts = int(before.sum()), int(after.sum())
    if counts[1] <= counts[0]:
        return counts, False
    found = stats.mannwhitneyu(after, before, alternative="greater", method="asymptotic")
    return counts, float(found.pvalue) <= RANK_ALPHA
