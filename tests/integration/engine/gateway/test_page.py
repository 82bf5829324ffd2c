"""The gateway's metrics page: what it says follows epoch, latch and refusals, and dies with its process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.collect import gateway_page
from agent.collect.engine_page import is_alive, parse_page
from agent.host import HostRoot
from engine.contract import metrics
from tests.support.engine.gateway import Gateway, write_config
from tests.support.waiting import until

from .venue_peer import VenuePeer


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
def watched(program: Path, venue: VenuePeer, tmp_path: Path, page: Path) -> Iterator[Gateway]:
    config = write_config(tmp_path, venue.port, metrics_page=str(page))
    running = Gateway(program, config, "--test").start()
    running.wait_ready()
    yield running
    running.kill()


def value(page: Path, name: str) -> int:
    return metrics.read_page(page.read_bytes()).entries[name].values[0]


def becomes(page: Path, name: str, wanted: int) -> None:
    until(lambda: value(page, name) == wanted, f"{name} {wanted}", 10, 0.02)


def test_the_page_follows_what_the_gateway_decides(watched: Gateway, page: Path) -> None:
    becomes(page, "gateway_accounts_ready", 1)
    assert watched.fence(7)["ok"]
    becomes(page, "gateway_epoch", 7)
    assert value(page, "gateway_epoch_durable") == 1
    assert watched.fence(4)["code"] == "stale_epoch"
    becomes(page, "gateway_refused_stale_epoch_total", 1)
    watched.verb("latch", scope="site", id="", reason="drill")
    becomes(page, "gateway_latches", 1)
    assert watched.unlatch()["ok"]
    becomes(page, "gateway_latches", 0)


def test_the_collector_exports_all_of_it_and_the_heart_beats(watched: Gateway, page: Path) -> None:
    until(lambda: value(page, "gateway_active") == 1, "a first tick", 10, 0.02)
    seen = parse_page(page.read_bytes())
    assert gateway_page.EXPORTED.keys() <= seen.values.keys()
    assert is_alive(HostRoot(), seen)
    until(lambda: parse_page(page.read_bytes()).heartbeat_ns > seen.heartbeat_ns, "a beat", 10, 0.02)
    assert 0 <= time.monotonic_ns() - parse_page(page.read_bytes()).heartbeat_ns < 5_000_000_000


def test_a_dead_gateways_page_is_dead(watched: Gateway, page: Path) -> None:
    watched.kill()
    assert not is_alive(HostRoot(), parse_page(page.read_bytes()))


@pytest.mark.parametrize(("place", "code"), [("nowhere/metrics", 75), ("folder", 64)])
def test_a_page_that_cannot_be_made_ends_the_start_and_names_its_path(
    place: str, code: int, program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    config = write_config(tmp_path, venue.port, metrics_page=str(tmp_path / place))
    with pytest.raises(RuntimeError, match=rf"exit {code}.*{place.partition('/')[0]}"):
        Gateway(program, config, "--test").start()
