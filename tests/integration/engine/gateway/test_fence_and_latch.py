"""Fences and latches of the running program: durable before the ack, there after SIGKILL, on any disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.process import own_mounts
from tests.support.engine.engine_peer import EnginePeer, cancel_bytes, ready_engine
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .venue_peer import VenuePeer


def test_a_fence_survives_sigkill_and_names_what_was_open(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    urn, order_id = engine.order(1)
    assert venue.wait_for("accepted", urn)
    until(lambda: gateway.verb("status")["accounts"]["ACC1"]["next_sequence"] == 3)
    answer = gateway.fence(7)
    gateway.kill()
    account = answer["accounts"]["ACC1"]
    assert answer["ok"] and (account["open"], account["last_urn"]) == (1, urn)
    assert account["last_clordid"] == order_id.strip()
    gateway.start()
    assert gateway.verb("status")["epoch"] == {"highest": 7, "durable": True, "holder": ""}
    with pytest.raises(ConnectionError, match="stale_epoch"):
        ready_engine(gateway.port, 6)


@pytest.mark.parametrize("on_fence", ["cancel", "keep"])
def test_open_orders_are_cancelled_or_kept_as_declared(
    program: Path, venue: VenuePeer, tmp_path: Path, on_fence: str
) -> None:
    gateway = Gateway(program, write_config(tmp_path, venue.port, on_fence=on_fence), "--test").start()
    try:
        gateway.wait_ready()
        engine = ready_engine(gateway.port, 1)
        engine.order(1)
        assert venue.wait_for("accepted", 1)
        assert gateway.fence(2)["on_fence"] == on_fence
        newer = ready_engine(gateway.port, 2)
        newer.order(2)
        assert venue.wait_for("accepted", 2)
        assert gateway.fence(2)["ok"], "the same fence again, as after a lost ack"
        newer.order(3)
        assert venue.wait_for("accepted", 3)
        assert sorted(venue.open) == ([2, 3] if on_fence == "cancel" else [1, 2, 3])
    finally:
        gateway.kill()


def test_an_older_fence_and_another_holder_of_the_same_epoch_are_refused(gateway: Gateway) -> None:
    assert gateway.fence(5)["ok"]
    assert gateway.fence(4)["code"] == "stale_epoch"
    assert gateway.verb("fence", epoch=5, holder="other/a", approved=[])["code"] == "epoch_taken"
    assert gateway.verb("fence", epoch="6", holder="", approved=[])["code"] == "fence_malformed"


def test_a_latch_stops_orders_cancels_what_is_open_and_survives_sigkill(
    gateway: Gateway, venue: VenuePeer
) -> None:
    engine = ready_engine(gateway.port, 1)
    engine.order(1)
    engine.order(2)
    assert venue.wait_for("accepted", 2)
    venue.fill(1, 40)
    engine.until(lambda: len(engine.responses) == 3)
    answer = gateway.verb("latch", scope="account", id="ACC1", reason="drill")
    assert answer["ok"] and answer["durable"] and answer["flattens"] is False
    assert [order["urn"] for order in answer["open_before"]] == [1, 2] and answer["cancels_sent"] == 2
    assert answer["accounts"]["ACC1"]["position"] == {"AAPL": 40}
    assert venue.wait_for("canceled", 1) and venue.wait_for("canceled", 2)
    engine.order(3)
    engine.wait_refusal("latched")
    engine.send("U", cancel_bytes(1))
    assert venue.wait_for("cancel_unknown", 1), "a cancel passes while latched"
    gateway.kill()
    gateway.start()
    gateway.wait_ready()
    again = ready_engine(gateway.port, 1)
    again.order(4, urn=4)
    again.wait_refusal("latched")
    assert gateway.unlatch(operator="", reason="x")["code"] == "operator_missing"
    assert gateway.unlatch()["ok"]
    again.order(5, urn=4)
    assert venue.wait_for("accepted", 4)
    assert venue.open.keys() == {4}


@pytest.mark.parametrize("stop", ["latch", "fence"])
def test_what_is_stopped_while_the_venue_is_away_is_cancelled_when_it_is_back(
    program: Path, venue: VenuePeer, tmp_path: Path, stop: str
) -> None:
    gateway = Gateway(program, write_config(tmp_path, venue.port, reconnect_ms=700), "--test").start()
    try:
        gateway.wait_ready()
        ready_engine(gateway.port, 1).order(1)
        assert venue.wait_for("accepted", 1)
        venue.drop_clients()
        until(lambda: gateway.verb("status")["accounts"]["ACC1"]["phase"] == "down")
        stopped = (
            gateway.verb("latch", scope="site", id="", reason="r") if stop == "latch" else gateway.fence(2)
        )
        assert stopped["ok"] and venue.open.keys() == {1}
        assert venue.wait_for("canceled", 1)
    finally:
        gateway.kill()


@pytest.mark.parametrize(("scope", "name"), [("site", ""), ("account", "ACC1"), ("strategy", "imbalance")])
def test_a_latch_refuses_a_promoted_spare_and_lets_the_killed_epoch_come_back(
    gateway: Gateway, scope: str, name: str
) -> None:
    ready_engine(gateway.port, 8)
    gateway.verb("latch", scope=scope, id=name, reason="drill")
    for fenced in (False, True):
        assert not fenced or gateway.fence(9)["ok"], "fencing stays possible"
        spare = EnginePeer(gateway.port)
        spare.hello(slot="b")
        assert spare.claim(9)["code"] == "latched"
        assert gateway.verb("status")["epoch"]["highest"] == (9 if fenced else 8)
        gateway.kill()
        gateway.start()
        gateway.wait_ready()
        if scope != "site" and not fenced:
            ready_engine(gateway.port, 8).close()


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_an_unreadable_latch_block_means_latched(
    gateway: Gateway, venue: VenuePeer, tmp_path: Path, damage: str
) -> None:
    gateway.kill()
    block = tmp_path / "state" / "latch.block"
    content = bytearray(block.read_bytes())
    content[16384 + 100] ^= 1
    block.unlink()
    if damage != "remove":
        block.write_bytes(content if damage == "flip" else content[:20000])
    gateway.start()
    status = gateway.wait_ready()
    assert not status["latch"]["clear"] and status["latch"]["entries"][0]["scope"] == "site"
    assert gateway.unlatch(reason="looked at it")["ok"]
    gateway.kill()
    gateway.start()
    assert gateway.verb("status")["latch"]["clear"], "an operator can make it whole again"


def test_a_lost_or_damaged_epoch_does_not_start(gateway: Gateway, tmp_path: Path) -> None:
    gateway.fence(3)
    gateway.kill()
    state = tmp_path / "state" / "fence.block"
    content = bytearray(state.read_bytes())
    content[100] ^= 1
    state.write_bytes(content)
    gateway.start()
    assert gateway.verb("status")["epoch"]["highest"] == 3, "there are two copies"
    gateway.kill()
    content[16384 + 100] ^= 1
    state.write_bytes(content)
    with pytest.raises(RuntimeError, match="exit 64"):
        gateway.start()
    state.unlink()
    with pytest.raises(RuntimeError, match="exit 64"):
        gateway.start()


def test_sigterm_closes_cleanly_and_says_so(gateway: Gateway, venue: VenuePeer) -> None:
    engine = ready_engine(gateway.port, 1)
    assert gateway.stop() == 0
    engine.until(lambda: engine.is_closed)
    assert gateway.lines("messages")[-1]["event"] == "stop"


FULL_DISK = "tests.integration.engine.gateway.full_disk"


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_no_disk_stops_a_kill(program: Path, tmp_path: Path, how: str) -> None:
    """State and log on a small tmpfs of its own, filled to the last page, or refusing every write."""
    words = [*own_mounts(), sys.executable, "-m", FULL_DISK, str(program), str(tmp_path), how]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["latch"]["ok"] and seen["refused"] == "latched" and seen["cancelled"], seen
    assert seen["latched_after_restart"], seen
    assert seen["unlogged"] == "log_unwritable", seen
    assert seen["fence"] == (None if how == "full" else "epoch_not_durable"), "its block needs no free page"
    assert seen["latch"]["durable"] is (how == "full"), "nor does the latch's"
    if how == "full":
        assert seen["highest_after_restart"] == 2, "what was acked holds"
