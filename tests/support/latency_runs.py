"""Made-up latency: log quantiles of restarts with a spread of their own, and windows with noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from release.judge import DESIGN, Calibration, Floats, judge_logs
from release.windows import SUB_BUCKETS, Arm, Restart, Window

NOISE = (0.01, 0.107, 0.15)  # of a window's p50, p99, p99.9: 2,000 messages
LEVELS = np.log((10_000, 40_000, 90_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How the candidate differs: slower p99, and the share of windows that are five times worse."""

    slower: float = 0.0
    exploding: float = 0.0
    spread: float = 0.015


def logs(random: np.random.Generator, restarts: int, made: Made) -> Floats:
    """Restarts x windows x quantiles."""
    spread = random.normal(0, made.spread, (restarts, 1, 1))
    noise = random.normal(0, 1, (restarts, DESIGN.windows, 3)) * NOISE
    found = LEVELS + spread + noise + np.asarray((0.0, np.log1p(made.slower), 0.0))
    found[random.random((restarts, DESIGN.windows)) < made.exploding] += np.log(5)
    return np.asarray(found)


def outcomes(made: Made, *, runs: int, seed: int) -> Counter[str]:
    """How many of RUNS comparisons of a plain baseline and a candidate end how."""
    random, pairs = np.random.default_rng(seed), DESIGN.pairs_at[-1]
    plain = Made(spread=made.spread)
    return Counter(
        judge_logs(logs(random, pairs, plain), logs(random, pairs, made)).outcome for _ in range(runs)
    )


def calibration(spread: float, release: str = "sha256:a") -> Calibration:
    """As if an A/A comparison had been stored."""
    return Calibration(release=release, restarts=30, spread=dict.fromkeys(DESIGN.margins, spread))


def restart(arm: Arm, *, slower: float = 0.0, seed: int = 0, windows: int = DESIGN.windows) -> Restart:
    """A restart with histograms: 2,000 messages a window."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(windows):
        values = random.lognormal(np.log(10_000 * (1 + slower)), 0.3, 2_000).astype(int)
        shift = np.maximum(np.log2(values).astype(int) - 7, 0)
        buckets, counts = np.unique(SUB_BUCKETS * shift + (values >> shift), return_counts=True)
        made.append(Window(intended=2_000, counts=dict(zip(buckets.tolist(), counts.tolist(), strict=True))))
    return Restart(arm=arm, release=f"sha256:{arm[0]}", windows=tuple(made))


def interleaved(pairs: int, *, slower: float = 0.0) -> list[Restart]:
    """ABBA."""
    arms: tuple[Arm, ...] = ("baseline", "candidate", "candidate", "baseline")
    order = (arms * pairs)[: 2 * pairs]
    return [
        restart(arm, slower=slower if arm == "candidate" else 0.0, seed=at) for at, arm in enumerate(order)
    ]
