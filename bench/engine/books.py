"""Decode and book: our own rates on a large stream, and on a smaller one beside itchfeed and meatpy.

The native program builds the book three times: fed with decoded operations, fed with datagrams, and by an
independent slow reconstruction; both fast books must end with the slow one's digest, or there is no
figure. The smaller stream is written to a file by another program from the same seed, and its digest must
be the same again; only then do the Python libraries read that file. Decode is compared with decode, book
with book: what meatpy does is timed on messages decoded beforehand, as ours is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine.children import output_of
from bench.engine.figures import Spread, Tell
from bench.engine.libraries import itchfeed_rate, meatpy_rate, version_of
from bench.engine.sizes import BookSize, Sizes
from bench.errors import BenchError

MIX = "recent-delete"
STAGES = ("decode", "book", "decode+book")
_TIMEOUT_S = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Messages a second over several runs of one stream."""

    size: BookSize
    mix: str
    prefetch: bool
    types: Mapping[str, float]  # share of each message type in per cent
    digest: str
    live_at_end: int
    stages: Mapping[str, Spread]
    stolen_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A library on the smaller stream; `ratio` is ours over theirs, each its median."""

    name: str
    version: str
    stage: str
    theirs: Spread
    ours: Spread

    @property
    def ratio(self) -> float:
        return self.ours.median / self.theirs.median


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything of this part; the first of `rates` is the one with the goal."""

    rates: tuple[Rates, ...]
    beside: tuple[Beside, ...]


def bench_books(programs: Path, sizes: Sizes, folder: Path, tell: Tell) -> Books:
    """The large stream as the goal has it, then without prefetch, then another mix, then the libraries."""
    size = sizes.book
    main = _rates(programs, size, tell)
    once = BookSize(messages=size.messages, live=size.live, symbols=size.symbols, runs=1, seed=size.seed)
    plain = _rates(programs, once, tell, prefetch=False)
    uniform = _rates(programs, once, tell, mix="uniform")
    return Books(rates=(main, plain, uniform), beside=_beside(programs, sizes.compared, folder, tell))


def _rates(programs: Path, size: BookSize, tell: Tell, *, prefetch: bool = True, mix: str = MIX) -> Rates:
    argv: list[str | Path] = [
        programs / "hft-book-bench", "--json", "--messages", str(size.messages), "--live", str(size.live),
        "--symbols", str(size.symbols), "--seed", str(size.seed), "--mix", mix,
    ]  # fmt: skip
    if not prefetch:
        argv.append("--no-prefetch")
    runs = []
    for turn in range(size.runs):
        runs.append(output_of(argv, _TIMEOUT_S))
        rate = runs[-1]["decode+book"]["messages_per_s"] / 1e6
        how = f"{mix}{'' if prefetch else ', no prefetch'}"
        tell(f"book: {how}: run {turn + 1} of {size.runs}: {rate:.2f} M msg/s")
    return rates_of(runs, size, mix, prefetch=prefetch)


def rates_of(runs: list[dict[str, Any]], size: BookSize, mix: str, *, prefetch: bool) -> Rates:
    """What the runs of one stream amount to; BenchError when they did not all end with one digest."""
    digests = {str(run["digest"]) for run in runs}
    if len(digests) != 1 or not all(run["digest_equal"] is True for run in runs):
        raise BenchError(f"the books of {len(runs)} runs of one stream ended with digests {sorted(digests)}")
    first = runs[0]
    return Rates(
        size=size, mix=mix, prefetch=prefetch, types=dict(first["types"]), digest=digests.pop(),
        live_at_end=int(first["live_orders"]),
        stages={stage: Spread.of([run[stage]["messages_per_s"] for run in runs]) for stage in STAGES},
        stolen_max=max(float(run[stage]["stolen"]) for run in runs for stage in STAGES),
    )  # fmt: skip


def _beside(programs: Path, size: BookSize, folder: Path, tell: Tell) -> tuple[Beside, ...]:
    path = folder / "compared.itch50"
    made = output_of(
        [
            programs / "hft-itch", "generate", path, "--messages", str(size.live + size.messages),
            "--seed", str(size.seed), "--symbols", str(size.symbols), "--live", str(size.live), "--mix", MIX,
        ],
        _TIMEOUT_S,
    )  # fmt: skip
    ours = _rates(programs, size, tell)
    if f"{int(made['digest']):016x}" != ours.digest:
        raise BenchError("the file for the libraries is not the stream of our own run: their digests differ")
    tell(f"book: itchfeed decodes {size.messages:,} messages, {size.runs} times")
    feed = itchfeed_rate(path, size)
    tell(f"book: meatpy builds the books of {size.messages:,} messages, {size.runs} times")
    meat = meatpy_rate(path, size, live_at_end=ours.live_at_end)
    compared = (("itchfeed", "decode", feed), ("meatpy", "book", meat))
    return tuple(
        Beside(name=name, version=version_of(name), stage=stage, theirs=theirs, ours=ours.stages[stage])
        for name, stage, theirs in compared
    )
