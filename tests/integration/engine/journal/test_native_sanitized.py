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

from tests.support.engine.native import THREADS, Case

# What `make test` has time to compile, and what waits for `make drill`.
SHORT: tuple[Case, ...] = (
    ("address,undefined", ("core_test", "journal_test")),
    ("thread", ("journal_test",)),
)
MEMORY: Case = ("address,undefined", ("gateway_tests", "load_test", "venue_matching_test"))
NATIVE_BUILDS = SHORT
CASES = [
    *(pytest.param(case, suite, id=f"{suite}-{case[0]}") for case in SHORT for suite in case[1]),
    *(
        pytest.param(case, suite, id=f"{suite}-{case[0]}", marks=pytest.mark.drill)
        for case in (MEMORY, THREADS)
        for suite in case[1]
        if suite != "hft-engine"
    ),
]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
Build = Callable[[str, tuple[str, ...]], Path]


@pytest.mark.parametrize(("build", "suite"), CASES)
def test_no_sanitizer_has_anything_to_say(build: Case, suite: str, native_build: Build) -> None:
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
    program = native_build(*build) / "tests" / suite
    done = subprocess.run([program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "[  PASSED  ]" in done.stdout
