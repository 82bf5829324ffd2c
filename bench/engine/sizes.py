"""How much is run: the whole measurement, or a quick form: everything runs and nothing is lost, no more.

A quick form never yields a verdict about time: its goals are INCONCLUSIVE, each with what it would take. It
also waits by sleeping instead of spinning, and triggers each of its symbols once, so that it can run beside
other work: no stall, however long, makes an engine pass over a trigger because its last order is unanswered.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.engine.load_report import PAIRS_MIN

RATE_GOAL_PER_S = 1_000_000
ORDERS_GOAL_PER_S = 1_000
SUSTAINED_GOAL_S = 60.0
BOOK_MESSAGES_MIN = 8_000_000
RISK_CALLS_MIN = 1 << 20
DATAGRAM_BYTES_MAX = 1_400


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSize:
    """A stream for the book: filled to `live` orders first, then `messages` more are timed."""

    messages: int
    live: int
    symbols: int
    runs: int
    seed: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSize:
    """Calls of the risk rules beside each number of open orders."""

    calls: int
    runs: int
    open: tuple[int, ...] = (0, 1_000, 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSize:
    """One run of the generator: triggers at a fixed rate, noise beside them."""

    triggers: int
    triggers_per_s: int
    warmup: int
    noise_per_s: int = 0
    noise_symbols: int = 0
    noise_live: int = 0
    noise_cycle: int = 0
    per_datagram: int = 38
    grace_ms: int = 2_000  # at most, for the last answers
    trigger_symbols: int = 64  # a stall shorter than rate times this is seen as latency, not as loss

    @property
    def duration_s(self) -> float:
        return self.triggers / self.triggers_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Everything one call of the benchmark runs."""

    book: BookSize
    compared: BookSize  # the smaller stream, beside meatpy and itchfeed
    risk: RiskSize
    latency: LoadSize
    pairs: int
    hop_pairs: int
    sustained: LoadSize
    trial: LoadSize  # of the search for the highest rate; its noise rate is replaced
    trials_max: int
    spins: bool


FULL = Sizes(
    book=BookSize(messages=BOOK_MESSAGES_MIN, live=1_000_000, symbols=8_000, runs=5),
    compared=BookSize(messages=300_000, live=50_000, symbols=200, runs=3),
    risk=RiskSize(calls=1 << 21, runs=5),
    latency=LoadSize(triggers=10_500, triggers_per_s=1_000, warmup=500),
    pairs=PAIRS_MIN,
    hop_pairs=4,
    sustained=LoadSize(
        triggers=76_500, triggers_per_s=1_250, warmup=1_250, noise_per_s=1_100_000, noise_symbols=8_000,
        noise_live=50_000, noise_cycle=1_000_000,
    ),
    trial=LoadSize(
        triggers=6_500, triggers_per_s=1_250, warmup=250, noise_per_s=0, noise_symbols=8_000,
        noise_live=50_000, noise_cycle=1_000_000,
    ),
    trials_max=6,
    spins=True,
)  # fmt: skip

QUICK = Sizes(
    book=BookSize(messages=60_000, live=5_000, symbols=100, runs=2),
    compared=BookSize(messages=4_000, live=1_000, symbols=20, runs=1),
    risk=RiskSize(calls=1 << 13, runs=2),
    latency=LoadSize(triggers=300, triggers_per_s=200, warmup=50, trigger_symbols=300, grace_ms=20_000),
    pairs=2,
    hop_pairs=1,
    sustained=LoadSize(
        triggers=400, triggers_per_s=200, warmup=100, noise_per_s=20_000, noise_symbols=500,
        noise_live=2_000, noise_cycle=20_000, trigger_symbols=400, grace_ms=20_000,
    ),
    trial=LoadSize(
        triggers=200, triggers_per_s=200, warmup=50, noise_symbols=500, noise_live=2_000,
        noise_cycle=20_000, trigger_symbols=200, grace_ms=20_000,
    ),
    trials_max=2,
    spins=False,
)  # fmt: skip
