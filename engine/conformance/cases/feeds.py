"""Market data: two lines made one, and holes asked for again."""

from __future__ import annotations

from functools import partial
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register

REGISTER = Register()
case = REGISTER.case


def _next_is(wanted: int, status: dict[str, Any]) -> bool:
    return bool(status["feed"]["next_sequence"] == wanted)


@case("feed.arbitration")
def each_line_alone_is_enough(bench: Bench) -> None:
    bench.feed.answering = False
    engine = bench.standby_synced()
    start = engine.metric("engine_feed_messages_total")
    for lines in ("A", "B", "AB", "B", "A"):
        bench.feed.publish(lines)
        wanted = bench.feed.next
        engine.wait_status(f"message {wanted - 1} from {lines}", partial(_next_is, wanted))
    demand(not engine.status()["feed"]["gapped"], "gapped, though no message was missing")
    taken = engine.metric("engine_feed_messages_total") - start
    demand(taken == 5, f"5 messages were taken in as {taken}")


@case("feed.rerequest")
def hole_is_asked_for_and_closed(bench: Bench) -> None:
    engine = bench.standby_synced()
    known = len(bench.log.all("request"))
    first = bench.feed.next
    bench.feed.publish("", count=3)
    bench.feed.publish("AB")
    sequence, count = bench.count("request", known + 1)[known]
    demand((sequence, count) == (first, 3), f"asked for {count} from {sequence}, missing were 3 from {first}")
    engine.wait_status(
        "a closed gap", lambda s: s["feed"]["next_sequence"] == first + 4 and not s["feed"]["gapped"]
    )
