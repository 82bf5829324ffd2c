"""A pytest plugin: which tests run which functions of the mutated rooms, for `make mutants`.

One file for each process that runs tests, in $HFT_MUTANT_TRACE: test -> seconds and functions, each as
`path:qualified name`. What a fixture runs counts for every test that asks for it, what collecting a
file runs for every test of that file. Caches are emptied between files, so that each file runs what it needs.
Functions alone are traced, not lines: the cost is a fraction of a test's own.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

HERE = f"{os.getcwd()}/"  # noqa: PTH109  # the copy that is traced
ROOMS = tuple(f"{HERE}{room}/" for room in os.environ.get("HFT_MUTANT_ROOMS", "").split(":") if room)


class Trace:
    """What ran, by whom; `running` is a stack, since a fixture is set up within a test."""

    def __init__(self) -> None:
        self.running: list[set[CodeType]] = []
        self.of_file: defaultdict[str, set[CodeType]] = defaultdict(set)
        self.of_fixture: defaultdict[str, set[CodeType]] = defaultdict(set)
        self.of_test: dict[str, set[CodeType]] = {}
        self.fixtures: dict[str, tuple[str, ...]] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.last_file = ""

    def call(self, frame: FrameType, _event: str, _argument: object) -> None:
        code = frame.f_code
        if self.running and code.co_filename.startswith(ROOMS):
            self.running[-1].add(code)

    def begin(self) -> set[CodeType]:
        found: set[CodeType] = set()
        self.running.append(found)
        sys.settrace(self.call)
        threading.settrace(self.call)
        return found

    def end(self) -> None:
        found = self.running.pop()
        if self.running:
            self.running[-1] |= found
        else:
            sys.settrace(None)

    def document(self) -> dict[str, Any]:
        found = {}
        for test, own in self.of_test.items():
            shared = [self.of_fixture[name] for name in self.fixtures.get(test, ())]
            ran = own.union(self.of_file[test.partition("::")[0]], *shared)
            places = sorted({f"{one.co_filename.removeprefix(HERE)}:{one.co_qualname}" for one in ran})
            found[test] = {"seconds": round(self.seconds[test], 3), "ran": places}
        return found


TRACE = Trace()


def empty_caches() -> None:
    """Every lru_cache of ours and of the tests begins anew."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper):
            one.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """A file is imported, and what its parameters need is computed."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    found = TRACE.begin()
    try:
        return (yield)
    finally:
        TRACE.end()
        TRACE.of_file[collector.nodeid] |= found


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, Any, Any]:
    """A fixture is made."""
    found = TRACE.begin()
    try:
        return (yield)
    finally:
        TRACE.end()
        TRACE.of_fixture[f"{fixturedef.baseid}:{fixturedef.argname}"] |= found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Generator[None, Any, Any]:
    """A test with its fixtures."""
    file = item.nodeid.partition("::")[0]
    if file != TRACE.last_file:
        TRACE.last_file = file
        empty_caches()
    info = getattr(item, "_fixtureinfo", None)
    defs = info.name2fixturedefs.values() if info is not None else ()
    TRACE.fixtures[item.nodeid] = tuple(f"{one.baseid}:{one.argname}" for many in defs for one in many)
    TRACE.of_test[item.nodeid] = TRACE.begin()
    try:
        return (yield)
    finally:
        TRACE.end()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How long it took."""
    TRACE.seconds[report.nodeid] += report.duration


def pytest_sessionfinish() -> None:
    """The file of this process."""
    folder = os.environ.get("HFT_MUTANT_TRACE")
    if folder and TRACE.of_test:
        Path(folder, f"{os.getpid()}.json").write_text(json.dumps(TRACE.document()), encoding="utf-8")
