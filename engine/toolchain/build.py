"""The native programs, built once per state of their sources, and the artifact that is deployed.

Builds are kept under ~/.cache/hft/native (or $HFT_NATIVE_DIR), named by a hash over every source file, the
checkout's path and the compiler's version, so that a changed file never runs as an old binary. The compiler
is told not to embed the build path (engine/native/CMakeLists.txt), and an artifact's digest is a hash of its
contents: builds from two checkouts give the same digest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.contract.canonical import canonical, digest

SOURCES = Path(__file__).resolve().parents[1] / "native"
BUILDS_KEPT_MAX = 8
RELEASE = "release"
FUZZ = "fuzz"
DRILL = "drill"
DPDK = "dpdk"
# What runs in production; the others are the bench, the venue and the test input generators.
PROGRAMS = ("hft-engine", "hft-gateway", "hft-venue", "hft-load", "hft-relay", "hft-journal", "hft-itch")
ENGINE = "hft-engine"
_PERCENT = re.compile(r"^\[ *(\d+)%\]")

Tell = Callable[[str], None]


class BuildError(Exception):
    """The compilation failed; carries the end of the compiler's output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What `build_artifact` made."""

    artifact: Path
    programs: Path
    digest: str


def cache_dir() -> Path:
    """The directory of builds."""
    given = os.environ.get("HFT_NATIVE_DIR")
    return (Path(given).expanduser() if given else Path.home() / ".cache/hft/native").absolute()


def sources_digest(compiler: str, sources: Path = SOURCES) -> str:
    """16 hex digits over every file below SOURCES, its path (CMake needs it) and the compiler's version."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    hashed = hashlib.sha256(f"{version}\0{sources}\0".encode())
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        content = path.read_bytes()
        hashed.update(f"{path.relative_to(sources)}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()[:16]


def build(kind: str = RELEASE, targets: tuple[str, ...] = (), tell: Tell = lambda _: None) -> Path:
    """The folder of that build, with `bin/` and `tests/`; what already exists is not rebuilt.

    KIND is `release`, `drill` (enforcement can be disabled), `dpdk`, `fuzz`, or sanitizers:
    `address,undefined` or `thread`. Raises BuildError.
    """
    compiler = "clang++" if kind == FUZZ else "g++"
    cache = cache_dir()
    name = f"{sources_digest(compiler)}-{kind.replace(',', '-')}"
    folder = cache / name
    for path in (cache, folder):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _is_ours(path):
            raise BuildError(f"{path}: others may write there, and its programs are run; remove it")
    done = folder / f".made-{'-'.join(sorted(targets)) or 'all'}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_as_built(folder, done) and not _is_as_built(folder, folder / ".made-all"):
            if done.exists():  # other bytes than were built: a linker that finds them would leave them
                shutil.rmtree(folder / "bin", ignore_errors=True)
            compile_sources(SOURCES, folder, kind, targets, tell)
            done.write_text(json.dumps(_programs(folder)))
            done.chmod(0o600)
            drop_old_builds(keep=folder)
    return folder


def _programs(folder: Path) -> dict[str, str]:
    """SHA-256 of every program of a build, by name."""
    found = {}
    for path in sorted((folder / "bin").glob("*")):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _is_as_built(folder: Path, done: Path) -> bool:
    """Whether the programs are the ones that were built, by content and owner; a name proves nothing."""
    if not _is_ours(done):
        return False
    try:
        recorded, seen = json.loads(done.read_bytes()), _programs(folder)
    except (OSError, ValueError):
        return False
    ours = all(_is_ours(folder / "bin" / name) for name in seen)
    return isinstance(recorded, dict) and ours and recorded.items() <= seen.items()


def _is_ours(path: Path) -> bool:
    """Whether PATH itself is this account's, no link, and nobody else may write it."""
    try:
        seen = path.lstat()
    except OSError:
        return False
    return seen.st_uid == os.getuid() and not stat.S_ISLNK(seen.st_mode) and not seen.st_mode & 0o022


def release_build(tell: Tell = lambda _: None) -> Path:
    """The release build, or the one that $HFT_NATIVE_BUILD names, while parts of it change."""
    given = os.environ.get("HFT_NATIVE_BUILD")
    return Path(given) if given else build(tell=tell)


def compile_sources(sources: Path, folder: Path, kind: str, targets: tuple[str, ...], tell: Tell) -> None:
    """Configure and build SOURCES in FOLDER."""
    flavour = {RELEASE: [], FUZZ: ["-DHFT_FUZZ=ON"], DRILL: ["-DHFT_DRILL=ON"], DPDK: ["-DHFT_DPDK=ON"]}
    flags = flavour.get(kind, [f"-DHFT_SANITIZE={kind}"])
    compiler = "clang++" if kind == FUZZ else "g++"
    configure = ["cmake", "-S", str(sources), "-B", str(folder), f"-DCMAKE_CXX_COMPILER={compiler}"]
    run_step([*configure, "-DCMAKE_BUILD_TYPE=Release", *flags], tell)
    chosen = ["--target", *targets] if targets else []
    run_step(["cmake", "--build", str(folder), "--parallel", str(os.cpu_count() or 2), *chosen], tell)


def run_step(argv: list[str], tell: Tell) -> None:
    """Run one step of a build and report its progress in tenths."""
    said: list[str] = []
    tenth = -1
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            percent = _PERCENT.match(line)
            if percent and int(percent[1]) // 10 > tenth:
                tenth = int(percent[1]) // 10
                tell(f"{percent[1]:>3} % compiled")
    if running.returncode != 0:
        raise BuildError(f"{' '.join(argv)} failed:\n{''.join(said)[-6000:]}")


def drop_old_builds(keep: Path) -> None:
    """Keep the newest few; each takes tens of megabytes."""
    folders = sorted(
        (path for path in cache_dir().iterdir() if path.is_dir()), key=lambda p: p.stat().st_mtime
    )
    for old in folders[:-BUILDS_KEPT_MAX]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)


def make_artifact(program: Path, target: Path) -> str:
    """Write the artifact of the reference engine to TARGET; returns its digest.

    The program writes the manifest of its own executable.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    engine = target / ENGINE
    shutil.copy2(program, engine)
    engine.chmod(0o755)
    printed = subprocess.run([engine, "--manifest"], capture_output=True, text=True, check=True).stdout
    manifest = json.loads(printed)
    (target / "engine.json").write_bytes(canonical(manifest))
    return digest(manifest)


def release(target: Path, tell: Tell) -> Release:
    """Programs and artifact below TARGET: `artifact/` to deploy, `bin/` with the companion programs."""
    built = release_build(tell)
    programs = target / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        shutil.copy2(built / "bin" / name, programs / name)
    found = make_artifact(built / "bin" / ENGINE, target / "artifact")
    return Release(artifact=target / "artifact", programs=programs, digest=found)


def digest_of_a_second_build(scratch: Path, tell: Tell) -> str:
    """The digest from a checkout at another path: the sources are copied to SCRATCH and compiled again."""
    sources = scratch / "elsewhere"
    shutil.copytree(SOURCES, sources)
    compile_sources(sources, scratch / "build", RELEASE, (ENGINE,), tell)
    return make_artifact(scratch / "build" / "bin" / ENGINE, scratch / "artifact")
