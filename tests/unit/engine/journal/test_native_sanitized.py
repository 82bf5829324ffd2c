"""The GoogleTests of journal, core, gateway, venue and load under sanitizers (wire, feed, book: wire/).

AddressSanitizer and UndefinedBehaviorSanitizer for all; ThreadSanitizer for those with more than one thread:
the ring with its persister, the load generator, and the engine itself (chain/test_sanitized_engine.py).
Compiling takes some minutes of one CPU, once for each state of the sources; that is why these are not among
the fast tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SUITES = ("core_test", "gateway_tests", "journal_test", "load_test", "venue_matching_test")
THREADED = ("journal_test", "load_test")
MEMORY, THREADS = ("address,undefined", SUITES), ("thread", ("hft-engine", *THREADED))
NATIVE_BUILDS = (MEMORY, THREADS)
CASES = [(MEMORY, suite) for suite in SUITES] + [(THREADS, suite) for suite in THREADED]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
Build = Callable[[str, tuple[str, ...]], Path]


@pytest.mark.parametrize(("build", "suite"), CASES, ids=[f"{suite}-{kind}" for (kind, _), suite in CASES])
def test_no_sanitizer_has_anything_to_say(
    build: tuple[str, tuple[str, ...]], suite: str, native_build: Build
) -> None:
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    program = native_build(*build) / "tests" / suite
    done = subprocess.run([program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "[  PASSED  ]" in done.stdout
