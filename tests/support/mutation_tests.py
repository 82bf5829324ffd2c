"""Which tests are asked about a mutant: those that run the mutated function, by a trace, the quickest first.

The unit tests run once without a mutant, and which of them runs which function is written down
(tests/support/mutation_trace.py), a few files at a time: a run that is ended goes on where it was, and the
trace of a test file is kept for as long as that file is the same. What such a trace does not know any more
can only let a mutant live. A test that starts programs is not traced; those of the room that name the
module's package come last.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.checkout import ROOT, tracked
from tests.support.mutants import Mutant

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
    "hft/releases": (
        ("tests/unit/hft", "tests/unit/release"),
        ("tests/integration/hft",),
    ),
    "release": (
        ("tests/unit/release", "tests/unit/hft"),
        ("tests/integration/hft",),
    ),
}
TRACE_S = 7200
FILES_AT_ONCE = 6
QUICK_S = (3.0, 20.0)  # what the first and the second try may take, as it took without a mutant
NO_TESTS = 5  # pytest.ExitCode.NO_TESTS_COLLECTED


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


def digest_of_checkout() -> str:
    """Of what a test may run here: a mutant that lived did so in one state. Pages do not count."""
    found = hashlib.sha256()
    for path in tracked():
        if path.suffix != ".md":
            found.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def digest_of_file(checkout: Path, name: str) -> str:
    """Of one file and its name; of one that is gone, no file's."""
    path = checkout / name
    text = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(f"{name}\0".encode() + text).hexdigest()[:16]


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """The modules of the copy come before the installed ones, and their bytecode is kept."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**given, "PYTHONPATH": str(checkout), **more}


def traced(checkout: Path, rooms: Iterable[str], workers: int) -> Trace:
    """The unit tests of these rooms, each file run once without a mutant; what was written down is taken."""
    folders = dict.fromkeys(one for room in rooms for one in ROOMS[room][0])
    every = [
        str(file.relative_to(checkout)) for one in folders for file in (checkout / one).rglob("test_*.py")
    ]
    kept = {name: CACHE / "trace" / f"{digest_of_file(checkout, name)}.json" for name in sorted(set(every))}
    left = [name for name, path in kept.items() if not path.exists()]
    if left:
        print(f"[mutants] which test runs what, in {len(left)} of {len(kept)} files", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        chunks = [left[at : at + FILES_AT_ONCE] for at in range(0, len(left), FILES_AT_ONCE)]
        list(pool.map(lambda chunk: _trace(checkout, chunk, kept), chunks))
    tests: dict[str, dict[str, object]] = {}
    failing: set[str] = set()
    for path in kept.values():
        document = json.loads(path.read_text("utf-8"))
        tests |= document["tests"]
        failing |= set(document["failing"])
    for test in sorted(failing):
        print(f"[mutants] fails without a mutant, so it is left out: {test}", flush=True)
    return Trace(
        seconds={test: float(str(one["seconds"])) for test, one in tests.items()},
        ran={test: frozenset(_places(one["ran"])) for test, one in tests.items()},
        failing=frozenset(failing),
    )


def _places(found: object) -> list[str]:
    assert isinstance(found, list)
    return [str(one) for one in found]


def _trace(checkout: Path, files: Sequence[str], kept: Mapping[str, Path]) -> None:
    """Write down of each test of some files what it ran."""
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-rfE"]
    argv += ["-p", "tests.support.mutation_trace", *files]
    with tempfile.TemporaryDirectory(prefix="hft-trace-") as found:
        env = environment(checkout, HFT_MUTANT_TRACE=found, HFT_MUTANT_ROOMS=":".join(ROOMS))
        done = subprocess.run(
            argv, cwd=checkout, env=env, capture_output=True, text=True, timeout=TRACE_S, check=False
        )
        tests: dict[str, object] = {}
        for one in Path(found).glob("*.json"):
            tests |= json.loads(one.read_text("utf-8"))
    if done.returncode not in (0, 1, NO_TESTS):
        raise SystemExit(f"mutants: the tests do not run without a mutant:\n{done.stdout[-3000:]}")
    failing = failed_tests(done.stdout)
    for file in files:
        mine = {test: one for test, one in tests.items() if test.startswith(f"{file}::")}
        bad = [test for test in failing if test.startswith(f"{file}::")]
        kept[file].parent.mkdir(parents=True, exist_ok=True)
        kept[file].write_text(json.dumps({"tests": mine, "failing": bad}), encoding="utf-8")


def failed_tests(said: str) -> list[str]:
    """The tests that pytest's summary names as failed."""
    return re.findall(r"^(?:FAILED|ERROR) (\S+?::[^\n]*?)(?: - .*)?$", said, re.MULTILINE)


def places_of(path: str, source: str, line: int) -> tuple[str, ...]:
    """The innermost function around a line, as a trace names it; none outside of all functions."""
    found = list(_functions(ast.parse(source), ""))
    around = [(start, name) for start, end, name in found if start <= line <= end]
    return (f"{path}:{max(around)[1]}",) if around else ()


def _functions(node: ast.AST, inside: str) -> Iterator[tuple[int, int, str]]:
    """First and last line, and qualified name (PEP 3155), of every function below a node."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            start = min([one.lineno, *(deco.lineno for deco in one.decorator_list)])
            yield start, one.end_lineno or 0, f"{inside}{one.name}"
            yield from _functions(one, f"{inside}{one.name}.<locals>.")
        elif isinstance(one, ast.ClassDef):
            yield from _functions(one, f"{inside}{one.name}.")
        else:
            yield from _functions(one, inside)


def near(checkout: Path, path: str, folders: Iterable[str], *, package_counts: bool = False) -> list[str]:
    """The test files that name the module, or its package."""
    module = path.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    names = re.compile(rf"\b{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b")
    if package_counts:
        names = re.compile(rf"\b{re.escape(package)}\b")
    files = (file for one in folders for file in sorted((checkout / one).rglob("test_*.py")))
    return [str(file.relative_to(checkout)) for file in files if names.search(file.read_text("utf-8"))]


def stages(
    checkout: Path, mutant: Mutant, source: str, known: Trace, before: str | None = None
) -> Iterator[list[str]]:
    """What is run for a mutant, one after the other until a test fails; BEFORE caught it once."""
    units, starting = ROOMS[room_of(mutant.path)]
    places = places_of(mutant.path, source, mutant.line)
    tests = known.tests_of(places or known.of_module(mutant.path))
    if before:
        yield [before]
    files = [] if places else near(checkout, mutant.path, units)
    at = 0
    for most in QUICK_S:
        end, spent = at, 0.0
        while end < len(tests) and (end == at or spent + known.seconds[tests[end]] <= most):
            spent += known.seconds[tests[end]]
            end += 1
        yield tests[at:end]
        at = end
    yield [*files, *(one for one in tests[at:] if not one.startswith(tuple(files or "?")))]
    yield near(checkout, mutant.path, starting, package_counts=True)
