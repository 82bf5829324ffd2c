"""The native build that the engine's tests share: made once for each state of the sources, then found again.

`native` is the release build: programs in `bin/`, GoogleTest binaries in `tests/`. `native_build` makes
chosen targets of another kind. Both come from the cache of engine/toolchain/build.py; a failing build fails.
HFT_NATIVE_BUILD=DIR takes an existing release build instead, HFT_DRILL_BUILD=DIR a drill build.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from engine.toolchain.build import DRILL
from tests.support.engine.native import Build, build_native


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Compile before the first test, where no test's time limit runs.

    A module that uses `native_build` says which builds in NATIVE_BUILDS, a tuple of (kind, targets).
    """
    if session.config.option.collectonly:
        return
    try:
        if any("native" in getattr(item, "fixturenames", ()) for item in session.items):
            build_native()
        for kind, targets in sorted({chosen for item in session.items for chosen in builds_of(item)}):
            if kind != DRILL or "HFT_DRILL_BUILD" not in os.environ:
                build_native(kind, targets)
    except (pytest.fail.Exception, pytest.skip.Exception):
        return  # the tests that need it say why


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A failed test whose own helpers were too late to prove anything is inconclusive: skipped, with why.

    A fixture's value says so by `inconclusive()`, a sentence or nothing.
    """
    try:
        return (yield)
    except (AssertionError, ConnectionError) as error:
        for value in pyfuncitem.funcargs.values():
            judge = getattr(value, "inconclusive", None)
            if judge is not None and (why := judge()):
                pytest.skip(f"INCONCLUSIVE: {why}; it failed with: {error}")
        raise


def builds_of(item: pytest.Item) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not {"native_build", "drill_build", "dpdk_programs"} & set(getattr(item, "fixturenames", ())):
        return ()
    module = item.getparent(pytest.Module)
    return getattr(module.obj, "NATIVE_BUILDS", ()) if module is not None else ()


@pytest.fixture(scope="session")
def native() -> Path:
    """Folder of the release build: `native / "bin" / "hft-engine"`, `native / "tests" / "test_wire"`."""
    return build_native()


@pytest.fixture(scope="session")
def drill_build() -> Callable[[str], Path]:
    """A program of the drill build, by name."""
    given = os.environ.get("HFT_DRILL_BUILD")
    return lambda name: (Path(given) if given else build_native(DRILL, (name,))) / "bin" / name


@pytest.fixture(scope="session")
def native_build() -> Build:
    """Build of another kind: `native_build("address,undefined", ("test_wire",)) / "tests" / "test_wire"`."""
    return build_native
