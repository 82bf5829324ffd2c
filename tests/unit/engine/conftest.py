"""The native build that the engine's tests share: made once for each state of the sources, then found again.

`native` is the Release build: programs in `bin/`, GoogleTest binaries in `tests/`. `native_build` makes
chosen targets with a sanitizer. scripts/native_build.py says where builds live. A failing build fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import native_build as native_build_of
from scripts.native_build import BuildError, build

RELEASE = ""
SANITIZED = "address,undefined"
THREADED = "thread"
FUZZ = "fuzz"
DRILL = "drill"
DPDK = "dpdk"
Build = Callable[[str, tuple[str, ...]], Path]


def build_native(kind: str = RELEASE, targets: tuple[str, ...] = ()) -> Path:
    """Build into the cache and return the folder; what was built before is not touched."""
    options = {FUZZ: "-DHFT_FUZZ=ON", DRILL: "-DHFT_DRILL=ON", DPDK: "-DHFT_DPDK=ON"}
    flavour = options.get(kind, f"-DHFT_SANITIZE={kind}")
    name = kind.replace(",", "-") or "release"
    try:
        return build(name, "clang++" if kind == FUZZ else "g++", flavour, targets)
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)


def release_build() -> Path:
    try:
        return native_build_of.release_build()
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Compile before the first test, where no test's time limit runs.

    A module that uses `native_build` says which builds in NATIVE_BUILDS, a tuple of (kind, targets).
    """
    if session.config.option.collectonly:
        return
    try:
        if any("native" in getattr(item, "fixturenames", ()) for item in session.items):
            release_build()
        for kind, targets in sorted({build for item in session.items for build in builds_of(item)}):
            if kind != DRILL or "HFT_DRILL_BUILD" not in os.environ:
                build_native(kind, targets)
    except pytest.fail.Exception:
        return  # the tests that need it say why


def builds_of(item: pytest.Item) -> tuple[tuple[str, tuple[str, ...]], ...]:
    module = item.getparent(pytest.Module)
    return getattr(module.obj, "NATIVE_BUILDS", ()) if module is not None else ()


@pytest.fixture(scope="session")
def native() -> Path:
    """Folder of the Release build: `native / "bin" / "hft-engine"`, `native / "tests" / "test_wire"`."""
    return release_build()


@pytest.fixture(scope="session")
def drill_build() -> Callable[[str], Path]:
    """A program built with -DHFT_DRILL=ON, by name; HFT_DRILL_BUILD=DIR takes an existing build."""
    given = os.environ.get("HFT_DRILL_BUILD")
    return lambda name: (Path(given) if given else build_native(DRILL, (name,))) / "bin" / name


@pytest.fixture(scope="session")
def native_build() -> Build:
    """Build with a sanitizer: `native_build("address,undefined", ("test_wire",)) / "tests" / "test_wire"`."""
    return build_native
