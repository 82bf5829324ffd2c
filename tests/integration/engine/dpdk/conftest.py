"""The engine with DPDK in it, for tests that receive through poll-mode ports without any hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.engine.dpdk import NATIVE_BUILDS, given_build, why_not
from tests.support.engine.native import build_native

from .rig import Rig


@pytest.fixture(scope="session")
def dpdk_programs() -> Path:
    """Folder of the programs, hft-engine with DPDK; HFT_NATIVE_BUILD is taken if it was built so."""
    if reason := why_not():
        pytest.skip(reason)
    return (given_build() or build_native(*NATIVE_BUILDS[0])) / "bin"


@pytest.fixture
def make_rig(dpdk_programs: Path) -> Iterator[Callable[..., Rig]]:
    """Rigs; keywords are those of `Rig`. Everything of theirs ends with the test."""
    with ExitStack() as stack:
        yield lambda **how: Rig(stack, dpdk_programs, **how)
