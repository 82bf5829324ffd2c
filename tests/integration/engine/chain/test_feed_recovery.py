"""A feed that lost both lines for a while heals by many small requests at once: judged by counts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conformance.artifact import opened
from engine.conformance.bench import Bench
from engine.conformance.signing import Signer
from engine.toolchain.build import make_artifact

# 50 ms at 300,000 a second; an answer holds what fits into a datagram.
LOST, AN_ANSWER = 15_000, 38
UNDER_WAY = 32


@pytest.fixture
def bench(native: Path, tmp_path: Path) -> Iterator[Bench]:
    make_artifact(native / "bin" / "hft-engine", tmp_path / "artifact")
    with opened(tmp_path / "artifact") as artifact:
        made = Bench(artifact, Signer(tmp_path), 30)
        try:
            yield made
        finally:
            made.close()


def test_what_both_lines_lost_comes_back_while_the_feed_goes_on(
    bench: Bench,
) -> None:
    engine = bench.active()
    bench.feed.history = False
    bench.feed.answer_most = AN_ANSWER
    engine.wait_status("in sync", lambda status: status["feed"]["next_sequence"] == bench.feed.next)
    bench.feed.publish("", count=LOST)
    for _ in range(200):
        bench.feed.publish("AB", count=10)
    wanted = bench.feed.next
    engine.wait_status(
        "a book without a gap",
        lambda status: status["feed"]["next_sequence"] == wanted and not status["feed"]["gapped"],
    )
    assert engine.metric("engine_feed_lost_total") == 0
    requests = bench.log.all("request")
    first = [count for (_, count) in (event.value for event in requests[:UNDER_WAY])]
    assert len(first) == UNDER_WAY, "several are under way at once"
    # The first round asks for more than an answer holds; then every request is as large as an answer.
    assert LOST / AN_ANSWER <= len(requests) <= 2.5 * LOST / AN_ANSWER
