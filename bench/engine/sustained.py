"""A minute of more than a million messages a second into the real engine, on both lines, with orders
answered.

Both ends are printed, because a rate that the generator did not reach or that the engine dropped is none.
Then the rate is raised in short trials until something gives, to say where the limit is and who sets it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.engine.figures import Tell
from bench.engine.rig import Ran, Rig
from bench.engine.search import Probe, next_rate
from bench.engine.settings import DIRECT
from bench.engine.sizes import LoadSize, Sizes
from bench.engine.verdict import Arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """The long run and the trials behind it."""

    size: LoadSize
    ran: Ran
    trials: tuple[Probe, ...]


def bench_sustained(rig: Rig, sizes: Sizes, tell: Tell) -> Sustained:
    """Run it; the trials begin at the rate of the long run."""
    size = sizes.sustained
    tell(f"sustained: {size.noise_per_s / 1e6:.2f} M msg/s for {size.duration_s:.0f} s")
    ran = rig.run(DIRECT, size)
    seen = arrived(ran)
    tell(f"sustained: {seen.messages_per_s / 1e6:.2f} M msg/s, {', '.join(seen.losses) or 'nothing lost'}")
    trials: list[Probe] = []
    while rate := next_rate(trials, size.noise_per_s * 3 // 2, sizes.trials_max):
        trials.append(_try(rig, replace(sizes.trial, noise_per_s=rate)))
        told = ", ".join(trials[-1].losses) or "nothing lost"
        tell(f"sustained: trial at {rate / 1e6:.2f} M: {trials[-1].sent_per_s / 1e6:.2f} M msg/s, {told}")
    return Sustained(size=size, ran=ran, trials=tuple(trials))


def _try(rig: Rig, size: LoadSize) -> Probe:
    ran = rig.run(DIRECT, size)
    # Late triggers are the generator's affair; a rate is about what arrives.
    return Probe(
        asked_per_s=size.noise_per_s, sent_per_s=arrived(ran).messages_per_s, losses=feed_losses(ran)
    )


def arrived(ran: Ran) -> Arrived:
    """Both ends of a run, as the verdict wants them."""
    return Arrived(
        duration_s=ran.run.duration_ns / 1e9,
        messages=int(ran.raw["sent"]["messages"]),
        datagrams=int(ran.raw["sent"]["datagrams"]),
        bytes=int(ran.raw["sent"]["bytes"]),
        datagram_bytes_max=int(ran.raw["sent"]["largest_bytes"]),
        answered=int(ran.raw["orders"]["answered"]),
        losses=feed_losses(ran),
        others_share=ran.run.others_cpu_share,
    )


def feed_losses(ran: Ran) -> tuple[str, ...]:
    """Losses of a run where a late trigger does not matter."""
    on_time = replace(ran, run=replace(ran.run, backlog_ns_max=0))
    return on_time.losses
