"""The native programs: built once for each state of their sources, and the artifact that is deployed.

Builds live under ~/.cache/hft/native (or $HFT_NATIVE_DIR), named by a hash over every source file, the place
of the checkout and the compiler's version, so that a changed file never runs as an old binary. The compiler
is told to leave out where it was run (engine/native/CMakeLists.txt), and an artifact's digest is a hash of
contents: two builds from two checkouts give the same digest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.contract.canonical import canonical, digest

SOURCES = Path(__file__).resolve().parent / "native"
BUILDS_KEPT_MAX = 8
RELEASE = "release"
FUZZ = "fuzz"
DRILL = "drill"
DPDK = "dpdk"
# What runs in production; the others are the bench, the venue and the makers of test input.
PROGRAMS = ("hft-engine", "hft-gateway", "hft-venue", "hft-load", "hft-relay", "hft-journal", "hft-itch")
ENGINE = "hft-engine"
_PERCENT = re.compile(r"^\[ *(\d+)%\]")

Tell = Callable[[str], None]


class BuildError(Exception):
    """The compiler's last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What `build_artifact` made."""

    artifact: Path
    programs: Path
    digest: str


def cache_dir() -> Path:
    """Where builds are kept."""
    given = os.environ.get("HFT_NATIVE_DIR")
    return (Path(given).expanduser() if given else Path.home() / ".cache/hft/native").absolute()


def sources_digest(compiler: str, sources: Path = SOURCES) -> str:
    """16 hex digits over every file below SOURCES, its place (cmake insists) and the compiler's version."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    hashed = hashlib.sha256(f"{version}\0{sources}\0".encode())
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        content = path.read_bytes()
        hashed.update(f"{path.relative_to(sources)}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()[:16]


def build(kind: str = RELEASE, targets: tuple[str, ...] = (), tell: Tell = lambda _: None) -> Path:
    """The folder of that build, with `bin/` and `tests/`; what is there already is not built again.

    KIND is `release`, `drill` (enforcement can be switched off), `dpdk`, `fuzz`, or sanitizers:
    `address,undefined` or `thread`. Raises BuildError.
    """
    compiler = "clang++" if kind == FUZZ else "g++"
    cache = cache_dir()
    name = f"{sources_digest(compiler)}-{kind.replace(',', '-')}"
    folder = cache / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f".built-{'-'.join(sorted(targets)) or 'all'}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() and not (folder / ".built-all").exists():
            compile_sources(SOURCES, folder, kind, targets, tell)
            done.touch()
            drop_old_builds(keep=folder)
    return folder


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
    """Run one step of a build and tell every tenth part of it."""
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
    """Keep the newest few; each takes some ten megabytes."""
    folders = sorted(
        (path for path in cache_dir().iterdir() if path.is_dir()), key=lambda p: p.stat().st_mtime
    )
    for old in folders[:-BUILDS_KEPT_MAX]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)


def make_artifact(program: Path, target: Path) -> str:
    """The artifact of the reference engine in TARGET, written anew; its digest.

    The program itself writes the manifest of the file it was started from.
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
    """Programs and artifact below TARGET: `artifact/` to deploy, `bin/` with what runs beside it."""
    built = release_build(tell)
    programs = target / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        shutil.copy2(built / "bin" / name, programs / name)
    found = make_artifact(built / "bin" / ENGINE, target / "artifact")
    return Release(artifact=target / "artifact", programs=programs, digest=found)


def digest_of_a_second_build(scratch: Path, tell: Tell) -> str:
    """The digest that a checkout at another path gives: the sources copied to SCRATCH, compiled anew."""
    sources = scratch / "elsewhere"
    shutil.copytree(SOURCES, sources)
    compile_sources(sources, scratch / "build", RELEASE, (ENGINE,), tell)
    return make_artifact(scratch / "build" / "bin" / ENGINE, scratch / "artifact")
