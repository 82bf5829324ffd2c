"""What must hold over the logs of driver, gateway and venue, whatever happened; shares no code with them.

The driver knows what it sent and when a fence was acked to it; the venue knows what it took; the gateway says
what it forwarded. Each violation is one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """The driver wrote an order; `moment` counts the driver's own events."""

    moment: int
    epoch: int
    clordid: str


@dataclass(frozen=True, slots=True)
class Acked:
    """The driver read the ack of a fence."""

    moment: int
    epoch: int


def epoch_of(clordid: str) -> int:
    """The epoch in a ClOrdID: five base-36 digits."""
    return int(clordid[:5], 36)


def sent_after_fence(sent: Iterable[Sent], acked: Iterable[Acked], accepted: Iterable[str]) -> Iterator[str]:
    """Driver against venue: an order written after the ack of a higher epoch's fence never trades."""
    taken = set(accepted)
    fences = list(acked)
    for order in sent:
        higher = [fence for fence in fences if fence.epoch > order.epoch and fence.moment < order.moment]
        if higher and order.clordid in taken:
            yield f"{order.clordid}: epoch {order.epoch} sent after the ack of {higher[0].epoch}, accepted"


def forwarded_after_fence(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The gateway's own log: after a fence nothing of a lower epoch is forwarded, cancels included."""
    highest = 0
    for line in sorted(lines, key=lambda entry: int(entry["seq"])):
        if line["event"] == "fence":
            highest = max(highest, line["epoch"])
        elif line["event"] == "forward" and line["epoch"] < highest:
            yield f"seq {line['seq']}: {line['type']} of epoch {line['epoch']} forwarded under {highest}"


def ran_behind(epochs: Iterable[int]) -> Iterator[str]:
    """The venue's log alone: once an epoch has traded, no lower one does."""
    highest = 0
    for epoch in epochs:
        if epoch < highest:
            yield f"the venue took epoch {epoch} after epoch {highest}"
        highest = max(highest, epoch)


def left_unlogged(lines: Iterable[Mapping[str, Any]], accepted: Iterable[str]) -> Iterator[str]:
    """Venue against gateway: what the venue took, the gateway had logged as forwarded before."""
    logged = {str(line["clordid"]) for line in lines if line["event"] == "forward"}
    for clordid in accepted:
        if clordid.strip() not in logged:
            yield f"{clordid}: accepted, and not in the gateway's log"


def numbered_wrong(urns: Iterable[int]) -> Iterator[str]:
    """The venue's log: user reference numbers rise, so none trades twice."""
    last = 0
    for urn in urns:
        if urn <= last:
            yield f"user reference number {urn} after {last}"
        last = urn


def sequenced_wrong(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Both logs of the gateway together: one sequence, no number twice, over all its lives."""
    seen: set[int] = set()
    for line in lines:
        if line["seq"] in seen:
            yield f"log sequence {line['seq']} twice"
        seen.add(int(line["seq"]))
