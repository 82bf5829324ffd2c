"""Fixtures of the gateway's tests: the program, the drill build of it, a venue, a running test gateway."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engine.conftest import CACHE, SOURCES, run_build_step, sources_digest

from .rig import Gateway, write_config
from .venue_peer import VenuePeer


@pytest.fixture(scope="session")
def program(native: Path) -> Path:
    """The gateway as it ships."""
    return native / "bin" / "hft-gateway"


@pytest.fixture(scope="session")
def drill_program() -> Path:
    """A build of its own with -DHFT_DRILL=ON; HFT_DRILL_BUILD=DIR takes an existing one."""
    given = os.environ.get("HFT_DRILL_BUILD")
    if given:
        return Path(given) / "bin" / "hft-gateway"
    folder = CACHE / f"{sources_digest()}-drill"
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".built").exists():
            configure = ["cmake", "-S", str(SOURCES), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"]
            run_build_step([*configure, "-DHFT_DRILL=ON"])
            run_build_step(["cmake", "--build", str(folder), "--parallel", "2", "--target", "hft-gateway"])
            (folder / ".built").touch()
    return folder / "bin" / "hft-gateway"


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
