"""Native tests of wire, feed, book, DPDK frames, plain and sanitized; a seeded run of every fuzz target."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

BINARIES = ("test_wire", "test_feed", "test_book", "test_dpdk")
SANITIZED = ("address,undefined", BINARIES)
FUZZ: tuple[str, tuple[str, ...]] = ("fuzz", ())
NATIVE_BUILDS = (SANITIZED, FUZZ)
EXECUTIONS = 1_000_000  # `make fuzz` does ten times as many
Build = Callable[[str, tuple[str, ...]], Path]
# What each fuzz target must have decoded: types of ITCH, blocks of those, letters of SoupBinTCP and the link
# with one kind for all others, OUCH messages of both directions, order messages and the directory.
TYPES_MIN = {"itch": 23, "mold": 23, "soup": 15, "ouch": 25, "feed": 8}


def assert_passes(binary: Path) -> None:
    done = subprocess.run([str(binary)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 15


@pytest.mark.parametrize("name", BINARIES)
def test_native_tests_pass(name: str, native: Path) -> None:
    assert_passes(native / "tests" / name)


@pytest.mark.engine
@pytest.mark.parametrize("name", BINARIES)
def test_native_tests_pass_under_address_and_undefined_behaviour_sanitizers(
    name: str, native_build: Build
) -> None:
    assert_passes(native_build(*SANITIZED) / "tests" / name)


def fuzz(build: Path, executions: int, seed: int) -> None:
    """`scripts/fuzz.sh` from the seeds alone: nothing breaks, and every message type is reached."""
    environment = os.environ | {"HFT_FUZZ_BUILD": str(build), "HFT_FUZZ_CORPUS": ""}
    argv = ["bash", str(ROOT / "scripts" / "fuzz.sh"), str(executions), str(seed)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = re.findall(
        r"^fuzz (\w+): executions (\d+), message types reached (\d+):", done.stdout, re.MULTILINE
    )
    assert {target: int(types) for target, _, types in lines}.keys() == TYPES_MIN.keys()
    assert sum(int(done_of) for _, done_of, _ in lines) >= executions
    for target, _, types in lines:
        assert int(types) >= TYPES_MIN[target], done.stdout
    print(done.stdout)


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_a_million_seeded_inputs_break_nothing_and_reach_every_message_type(
    native_build: Build,
) -> None:
    fuzz(native_build(*FUZZ), EXECUTIONS, 2)
