"""No stale epoch trades in many random histories with crashes; and the model that says so can say no."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine.engine_peer import ready_engine
from tests.support.engine.gateway import Gateway, write_config

from . import model
from .interleave import Driver
from .venue_peer import Seen, VenuePeer

SEED = int(os.environ.get("HFT_SEED", "20261121"))
FAST, LONG, OFF = 60, 1500, 25


def run(program: Path, venue: VenuePeer, root: Path, count: int, *options: str) -> Driver:
    """COUNT interleavings over one gateway's state; it is killed and restarted inside of them."""
    gateway = Gateway(program, write_config(root, venue.port), "--test", *options).start()
    driver = Driver(gateway, venue, random.Random(SEED))
    try:
        gateway.wait_ready()
        driver.fence()
        for _ in range(count):
            driver.interleaving()
    finally:
        gateway.kill()
    stale = sum(line["code"] == "stale_epoch" for line in gateway.lines("refusals"))
    accepted = len(venue.accepted())
    print(f"HFT_SEED={SEED} {count} interleavings {driver.counts}")
    print(f"{len(driver.sent)} sent, {accepted} accepted, {stale} stale refused, {len(driver.acked)} acks")
    assert accepted >= count and stale >= count, "the histories must contain both"
    return driver


def test_no_stale_epoch_is_accepted_after_the_fence_ack(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    assert run(program, venue, tmp_path, FAST).violations() == []


@pytest.mark.drill
@pytest.mark.engine
@pytest.mark.timeout(3600)
def test_no_stale_epoch_is_accepted_in_the_long_campaign(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    assert run(program, venue, tmp_path, LONG).violations() == []


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_with_enforcement_off_the_model_finds_violations(
    drill_program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    gateway = Gateway(
        drill_program, write_config(tmp_path, venue.port), "--test", "--drill-no-enforcement"
    ).start()
    driver = Driver(gateway, venue, random.Random(SEED))
    try:
        gateway.wait_ready()
        driver.fence()
        for _ in range(OFF):
            driver.interleaving()
    finally:
        gateway.kill()
    taken = [seen.clordid for seen in venue.accepted()]
    after = list(model.sent_after_fence(driver.sent, driver.acked, taken))
    forwarded = list(model.forwarded_after_fence(gateway.lines("messages")))
    print(f"{OFF} interleavings without enforcement: {len(after)} stale accepted, {len(forwarded)} forwarded")
    assert len(after) >= 10 and len(forwarded) >= 10


@pytest.mark.drill
@pytest.mark.engine
@pytest.mark.timeout(3600)
def test_the_sanitizers_find_nothing_in_the_same_histories_and_a_clean_stop(
    native_build: Callable[[str, tuple[str, ...]], Path], venue: VenuePeer, tmp_path: Path
) -> None:
    program = native_build("address,undefined", ("hft-gateway",)) / "bin" / "hft-gateway"
    driver = run(program, venue, tmp_path, FAST)
    assert driver.violations() == []
    driver.gateway.start()
    driver.gateway.wait_ready()
    engine = ready_engine(driver.gateway.port, driver.epoch)
    assert driver.gateway.stop() == 0, "a sanitizer's finding is exit code 1"
    engine.close()


def test_the_model_sees_each_kind_of_violation() -> None:
    sent, acked = [model.Sent(2, 1, "0000100000001 ")], [model.Acked(1, 2)]
    assert list(model.sent_after_fence(sent, acked, ["0000100000001 "]))
    assert not list(model.sent_after_fence(sent, acked, []))
    assert not list(model.sent_after_fence([model.Sent(1, 1, "x")], [model.Acked(2, 2)], ["x"]))
    forward = {"seq": 2, "event": "forward", "epoch": 1, "type": "X", "clordid": ""}
    assert list(model.forwarded_after_fence([forward, {"seq": 1, "event": "fence", "epoch": 2}]))
    assert not list(model.forwarded_after_fence([forward, {"seq": 3, "event": "fence", "epoch": 2}]))
    assert list(model.ran_behind([1, 2, 1])) and not list(model.ran_behind([1, 1, 2]))
    assert list(model.left_unlogged([forward], ["0000100000001 "]))
    assert list(model.numbered_wrong([1, 2, 2])) and not list(model.numbered_wrong([1, 3]))
    assert list(model.sequenced_wrong([forward, forward]))


def test_the_venue_peer_takes_each_number_once(venue: VenuePeer) -> None:
    assert venue.accepted() == [] and venue.log == []
    venue._enter(_order(1, "A"))
    venue._enter(_order(1, "B"))
    assert venue.log == [Seen("accepted", 1, "A".ljust(14)), Seen("ignored", 1, "B".ljust(14))]


def _order(urn: int, order_id: str) -> bytes:
    return (
        b"O"
        + urn.to_bytes(4, "big")
        + b"B"
        + bytes(4)
        + b"AAPL    "
        + bytes(8)
        + b"0YAYN"
        + order_id.ljust(14).encode()
        + b"\0\0"
    )
