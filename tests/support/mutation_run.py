"""`make mutants`: a seeded sample of wrong programs against the fast tests; survivors are listed with why.

First the unit tests run once without a mutant, and which of them runs which function is written down
(tests/support/mutation_trace.py). Each worker has a copy of the checkout and writes one mutant into it. Then
run, and stop at the first failure: the quickest tests that run the mutated function, all others that do, and
those of the room that start programs and name the module's package, which no trace sees into. Caught means
that a test failed or never ended. A test that fails without a mutant is named and left out. Mutants are tried
in an order drawn by the seed, so that a run which is ended early has tried a sample, too.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from tests.support.checkout import ROOT, tracked
from tests.support.mutants import Mutant, caught_of, sample

SURVIVORS = ROOT / "tests" / "drill" / "survivors.toml"
CACHE = ROOT / "build" / "mutants"
# Rooms that are mutated: the folders of their tests, and those of the tests that start programs.
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tuning": (
        ("tests/unit/tuning", "tests/unit/checks", "tests/unit/deploys", "tests/unit/hft"),
        ("tests/integration/tuning",),
    ),
    "checks": (
        ("tests/unit/checks", "tests/unit/hft"),
        ("tests/integration/checks",),
    ),
    "agent": (
        ("tests/unit/agent", "tests/unit/deploys"),
        ("tests/integration/agent", "tests/integration/deploys"),
    ),
    "deploys/rollout": (
        ("tests/unit/deploys", "tests/unit/hft"),
        ("tests/integration/deploys", "tests/integration/hft"),
    ),
}
GOAL = 0.85
TRACE_S, TIMEOUT_S = 7200, 1800
QUICK_S = 3.0  # of what is tried first, as long as it took without a mutant
NOT_FOUND = 4  # pytest.ExitCode.USAGE_ERROR
OPTIONS = ("-q", "-x", "-n", "0", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    mutant: Mutant
    caught: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Test -> how long it took and which functions it ran; and those that fail without a mutant."""

    seconds: Mapping[str, float]
    ran: Mapping[str, frozenset[str]]
    failing: frozenset[str]

    def tests_of(self, places: Iterable[str]) -> list[str]:
        """The tests that run one of these functions, the quickest first."""
        wanted = frozenset(places)
        hit = [test for test, ran in self.ran.items() if ran & wanted and test not in self.failing]
        return sorted(hit, key=lambda test: (self.seconds[test], test))

    def of_module(self, path: str) -> set[str]:
        """Every function of a module that any test runs."""
        return {place for ran in self.ran.values() for place in ran if place.startswith(f"{path}:")}


def room_of(path: str) -> str:
    return next(room for room in ROOMS if path.startswith(f"{room}/"))


def sources() -> dict[str, str]:
    """Path below the root and text of every module of the rooms that are mutated."""
    names = (str(path.relative_to(ROOT)) for path in tracked())
    mine = (
        name for name in names if name.endswith(".py") and name.startswith(tuple(f"{one}/" for one in ROOMS))
    )
    return {name: (ROOT / name).read_text("utf-8") for name in mine}


def copy_of_checkout(to: Path) -> Path:
    for path in tracked():
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (to / ".venv").symlink_to(ROOT / ".venv")
    return to


def digest_of_checkout() -> str:
    """Of everything that a test may read here: a trace is of one state."""
    found = hashlib.sha256()
    for path in tracked():
        found.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """The modules of the copy come before the installed ones, and their bytecode is kept."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**given, "PYTHONPATH": str(checkout), **more}


def traced(checkout: Path) -> Trace:
    """The tests of all rooms, run once without a mutant; what was written down for this state is taken."""
    kept = CACHE / f"{digest_of_checkout()}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(trace(checkout)), encoding="utf-8")
    document = json.loads(kept.read_text("utf-8"))
    tests = document["tests"]
    return Trace(
        seconds={test: one["seconds"] for test, one in tests.items()},
        ran={test: frozenset(one["ran"]) for test, one in tests.items()},
        failing=frozenset(document["failing"]),
    )


def trace(checkout: Path) -> dict[str, object]:
    """Every test with what it ran."""
    folders = dict.fromkeys(one for units, _ in ROOMS.values() for one in units)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--dist", "loadfile", "-rfE"]
    argv += ["-p", "tests.support.mutation_trace", *folders]
    with tempfile.TemporaryDirectory(prefix="hft-trace-") as folder:
        env = environment(checkout, HFT_MUTANT_TRACE=folder, HFT_MUTANT_ROOMS=":".join(ROOMS))
        done = subprocess.run(
            argv, cwd=checkout, env=env, capture_output=True, text=True, timeout=TRACE_S, check=False
        )
        tests: dict[str, object] = {}
        for file in Path(folder).glob("*.json"):
            tests |= json.loads(file.read_text("utf-8"))
    if not tests or done.returncode not in (0, 1):
        raise SystemExit(f"mutants: the tests do not run without a mutant:\n{done.stdout[-3000:]}")
    failing = re.findall(r"^(?:FAILED|ERROR) (\S+?::[^\n]*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    for test in failing:
        print(f"[mutants] fails without a mutant, so it is left out: {test}", flush=True)
    return {"tests": tests, "failing": failing}


def places_of(path: str, source: str, line: int) -> tuple[str, ...]:
    """The innermost function around a line, as a trace names it; none outside of all functions."""
    found = [
        (min(one.lineno, *(deco.lineno for deco in one.decorator_list), one.lineno), one.end_lineno or 0)
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    around = [start for start, end in found if start <= line <= end]
    return (f"{path}:{max(around)}",) if around else ()


def near(checkout: Path, path: str, folders: Iterable[str], *, package_counts: bool = False) -> list[str]:
    """The test files that name the module, or its package."""
    module = path.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    names = re.compile(rf"\b{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b")
    if package_counts:
        names = re.compile(rf"\b{re.escape(package)}\b")
    files = (file for one in folders for file in sorted((checkout / one).rglob("test_*.py")))
    return [str(file.relative_to(checkout)) for file in files if names.search(file.read_text("utf-8"))]


def stages(checkout: Path, mutant: Mutant, source: str, known: Trace) -> Iterator[list[str]]:
    """What is run for a mutant, one after the other until a test fails."""
    units, starting = ROOMS[room_of(mutant.path)]
    places = places_of(mutant.path, source, mutant.line)
    tests = known.tests_of(places or known.of_module(mutant.path))
    first, spent = list[str](), 0.0
    for test in tests:
        spent += known.seconds[test]
        if first and spent > QUICK_S:
            break
        first.append(test)
    yield first
    files = [] if places else near(checkout, mutant.path, units)
    yield [*files, *(one for one in tests if one not in first and not one.startswith(tuple(files or "?")))]
    yield near(checkout, mutant.path, starting, package_counts=True)


def failure(checkout: Path, tests: Sequence[str], left_out: Iterable[str] = ()) -> str:
    """What these tests say in that copy; empty for a pass, and where there are none."""
    if not tests:
        return ""
    argv = [sys.executable, "-m", "pytest", *OPTIONS, *(f"--deselect={one}" for one in left_out), *tests]
    env = environment(checkout)
    try:
        done = subprocess.run(
            argv, cwd=checkout, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT_S} s"  # a mutant that never ends is seen
    files = list(dict.fromkeys(one.partition("::")[0] for one in tests))
    if done.returncode == NOT_FOUND and files != list(tests):  # the file cannot be read, or its names changed
        return failure(checkout, files, left_out)
    return "" if done.returncode in (0, 5) else done.stdout[-3000:] + done.stderr[-1000:]


def judge(checkout: Path, mutant: Mutant, known: Trace) -> Judged:
    started = time.monotonic()
    target = checkout / mutant.path
    source, before = target.read_text("utf-8"), target.stat()
    try:
        target.write_text(mutant.of(source), "utf-8")
        forget_bytecode(target)
        every = stages(checkout, mutant, source, known)
        caught = any(failure(checkout, tests, known.failing) for tests in every)
    finally:
        target.write_text(source, "utf-8")
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        forget_bytecode(target)
    return Judged(mutant=mutant, caught=caught, seconds=time.monotonic() - started)


def forget_bytecode(module: Path) -> None:
    """A mutant may have the age and the size of the one before it."""
    for one in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
        one.unlink()


def explained() -> dict[str, str]:
    """Key of a survivor that is known, and why it may live."""
    return {
        row["mutant"]: row["why"] for row in tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", [])
    }


def run(chosen: list[Mutant], workers: int) -> list[Judged]:
    with tempfile.TemporaryDirectory(prefix="hft-mutants-") as folder:
        copies = [copy_of_checkout(Path(folder) / str(number)) for number in range(workers)]
        known = traced(copies[0])
        free: Queue[Path] = Queue()
        for checkout in copies:
            free.put(checkout)

        def one(mutant: Mutant) -> Judged:
            mine = free.get()
            try:
                found = judge(mine, mutant, known)
            finally:
                free.put(mine)
            word = "caught  " if found.caught else "SURVIVED"
            print(f"{word} {found.seconds:5.1f} s  {mutant.path}:{mutant.line}  {mutant.key}", flush=True)
            return found

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, chosen))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutation_run", description=__doc__)
    parser.add_argument("--count", type=int, default=160, help="how many mutants (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (default %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="copies that are tried at once"
    )
    parser.add_argument("--only", default="", help="only modules whose path begins with this")
    asked = parser.parse_args()
    chosen = sample(
        {path: text for path, text in sources().items() if path.startswith(asked.only)},
        asked.count,
        asked.seed,
    )
    random.Random(asked.seed).shuffle(chosen)
    judged = run(chosen, asked.workers)
    known, survivors = explained(), [one for one in judged if not one.caught]
    share = caught_of([one.caught for one in judged])
    told = f"{len(judged)} tried, {share:.1%} caught (goal {GOAL:.0%}), {len(survivors)} survived"
    print(f"[mutants] seed {asked.seed}: {told}")
    unknown = [one.mutant for one in survivors if one.mutant.key not in known]
    for mutant in unknown:
        print(f"[mutants] survived and not explained: {mutant.path}:{mutant.line}  {mutant.key}")
    return 0 if share >= GOAL and not unknown else 1


if __name__ == "__main__":
    raise SystemExit(main())
