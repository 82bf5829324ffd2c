"""Native builds for tests, from the cache of engine/toolchain/build.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.toolchain.build import RELEASE, BuildError, build, release_build
from tests.support.needs import skip_without

Build = Callable[[str, tuple[str, ...]], Path]
Case = tuple[str, tuple[str, ...]]  # a kind of build, and its targets
THREADS: Case = ("thread", ("hft-engine", "load_test"))  # those with more than one thread


def build_native(kind: str = RELEASE, targets: tuple[str, ...] = ()) -> Path:
    """A build from the cache; one that fails fails the test with the compiler's words.

    Without a compiler and without HFT_NATIVE_BUILD the test is skipped: `make setup-dev` brings none.
    """
    if "HFT_NATIVE_BUILD" not in os.environ:
        skip_without("cmake", "g++")
    try:
        return release_build() if kind == RELEASE else build(kind, targets)
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)
