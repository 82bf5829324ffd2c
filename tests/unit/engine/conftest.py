"""The native build that the engine's tests share: made once for each state of the sources, then found again.

`native` is the Release build: programs in `bin/`, GoogleTest binaries in `tests/`. `native_build` makes
chosen targets with a sanitizer. Builds live under ~/.cache/hft/native, named by a hash of every source file
and of the compiler, so a changed file is never tested with an old binary. A failing build fails.
HFT_NATIVE_BUILD=DIR takes an existing Release build instead, for work on one part while another is open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "engine" / "native"
CACHE = Path.home() / ".cache" / "hft" / "native"
BUILDS_KEPT_MAX = 6
RELEASE = ""
SANITIZED = "address,undefined"
THREADED = "thread"
FUZZ = "fuzz"
DRILL = "drill"
Build = Callable[[str, tuple[str, ...]], Path]


def sources_digest(compiler: str = "g++") -> str:
    """Hash of what a build is made of: every file below engine/native, and the compiler."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(version.encode())
    for path in sorted(path for path in SOURCES.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCES)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def build_native(kind: str = RELEASE, targets: tuple[str, ...] = ()) -> Path:
    """Build into the cache and return the folder; what was built before is not touched."""
    compiler = "clang++" if kind == FUZZ else "g++"
    name = f"{sources_digest(compiler)}-{kind.replace(',', '-') or 'release'}"
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f".built-{'-'.join(sorted(targets)) or 'all'}"
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            flavour = {FUZZ: "-DHFT_FUZZ=ON", DRILL: "-DHFT_DRILL=ON"}.get(kind, f"-DHFT_SANITIZE={kind}")
            configure = ["cmake", "-S", str(SOURCES), "-B", str(folder), f"-DCMAKE_CXX_COMPILER={compiler}"]
            run_build_step([*configure, "-DCMAKE_BUILD_TYPE=Release", flavour])
            chosen = ["--target", *targets] if targets else []
            run_build_step(["cmake", "--build", str(folder), "--parallel", "2", *chosen])
            done.touch()
            drop_old_builds(keep=folder)
    return folder


def run_build_step(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr)[-6000:]}", pytrace=False)


def drop_old_builds(keep: Path) -> None:
    """Keep the newest few; each takes some ten megabytes."""
    builds = sorted(
        (path for path in CACHE.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for old in builds[:-BUILDS_KEPT_MAX]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)


def release_build() -> Path:
    given = os.environ.get("HFT_NATIVE_BUILD")
    return Path(given) if given else build_native()


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
