"""The native build, made once for each state of the sources and then found again.

Builds live under ~/.cache/hft/native, named by a hash of every source file below engine/native and of the
compiler, so a changed file never meets an old binary. HFT_NATIVE_BUILD=DIR takes an existing Release build
instead, for work on one part while another is open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "engine" / "native"
CACHE = Path.home() / ".cache" / "hft" / "native"
BUILDS_KEPT_MAX = 6


class BuildError(Exception):
    """A step of the build failed; the end of what it said is the message."""


def sources_digest(compiler: str = "g++") -> str:
    """Hash of what a build is made of: every file below engine/native, and the compiler."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(version.encode())
    for path in sorted(path for path in SOURCES.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCES)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def build(name: str, compiler: str, flavour: str, targets: tuple[str, ...] = ()) -> Path:
    """Build into the cache under NAME and return the folder; what was built before is not touched."""
    folder = CACHE / f"{sources_digest(compiler)}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f".built-{'-'.join(sorted(targets)) or 'all'}"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            configure = ["cmake", "-S", str(SOURCES), "-B", str(folder), f"-DCMAKE_CXX_COMPILER={compiler}"]
            run_step([*configure, "-DCMAKE_BUILD_TYPE=Release", flavour])
            chosen = ["--target", *targets] if targets else []
            run_step(["cmake", "--build", str(folder), "--parallel", "2", *chosen])
            done.touch()
            drop_old_builds(keep=folder)
    return folder


def release_build() -> Path:
    """The Release build: programs in `bin/`, GoogleTest binaries in `tests/`."""
    given = os.environ.get("HFT_NATIVE_BUILD")
    return Path(given) if given else build("release", "g++", "-DHFT_SANITIZE=")


def run_step(argv: list[str]) -> None:
    """One command of the build; BuildError with the end of its output when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(argv)} failed:\n{(done.stdout + done.stderr)[-6000:]}")


def drop_old_builds(keep: Path) -> None:
    """Keep the newest few; each takes some ten megabytes."""
    builds = sorted(
        (path for path in CACHE.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for old in builds[:-BUILDS_KEPT_MAX]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
