"""Fixtures of the gateway's tests: the program, the drill build of it, a venue, a running test gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engine.gateway import Gateway, write_config

from .venue_peer import VenuePeer


@pytest.fixture(scope="session")
def program(native: Path) -> Path:
    """The gateway as it ships."""
    return native / "bin" / "hft-gateway"


@pytest.fixture(scope="session")
def drill_program(drill_build: Callable[[str], Path]) -> Path:
    """The gateway whose enforcement can be switched off."""
    return drill_build("hft-gateway")


@pytest.fixture
def venue() -> Iterator[VenuePeer]:
    """A venue that outlives the gateways of one test."""
    peer = VenuePeer()
    yield peer
    peer.close()


@pytest.fixture
def gateway(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Gateway]:
    """A test gateway whose venue session is up."""
    running = Gateway(program, write_config(tmp_path, venue.port), "--test").start()
    running.wait_ready()
    yield running
    running.kill()
