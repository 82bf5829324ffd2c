"""`make mutants`: a seeded sample of wrong programs against the fast tests; survivors are listed with why.

Each worker has a copy of the checkout, writes one mutant into it, and runs the tests that name its module,
then those of its room, then the others that look at that room. Caught means that a test failed or never
ended.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from tests.support.checkout import ROOT, tracked
from tests.support.mutants import Mutant, caught_of, sample

SURVIVORS = ROOT / "tests" / "drill" / "survivors.toml"
# Rooms that are mutated, each with its tests: what is near first, since most mutants die there.
ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tuning": (
        ("tests/unit/tuning",),
        ("tests/unit/checks", "tests/unit/deploys", "tests/unit/hft", "tests/integration/tuning"),
    ),
    "checks": (
        ("tests/unit/checks",),
        ("tests/integration/checks", "tests/unit/hft", "tests/integration/hft"),
    ),
    "agent": (
        ("tests/unit/agent",),
        ("tests/integration/agent", "tests/unit/deploys", "tests/integration/deploys"),
    ),
    "deploys/rollout": (
        ("tests/unit/deploys", "tests/integration/deploys"),
        ("tests/unit/hft", "tests/integration/hft"),
    ),
}
GOAL = 0.85
TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    mutant: Mutant
    caught: bool
    seconds: float


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


def failure(checkout: Path, tests: tuple[str, ...]) -> str:
    """What these tests say in that copy, whose modules come before the installed ones; empty for a pass."""
    here = [one for one in tests if (checkout / one).exists()]
    if not here:
        return ""
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *here]
    # No bytecode: two mutants of one module in one second are of one age and often of one size.
    env = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            argv, cwd=checkout, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT_S} s"  # a mutant that never ends is seen
    return "" if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-1000:]


def near(checkout: Path, path: str, groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The test files that name the module: most of its mutants die there, and within seconds."""
    module = path.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    names = re.compile(rf"\b{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b")
    files = (
        file for group in groups for one in group for file in sorted((checkout / one).rglob("test_*.py"))
    )
    return tuple(str(file.relative_to(checkout)) for file in files if names.search(file.read_text("utf-8")))


def judge(checkout: Path, mutant: Mutant) -> Judged:
    started = time.monotonic()
    target = checkout / mutant.path
    source = target.read_text("utf-8")
    try:
        target.write_text(mutant.of(source), "utf-8")
        groups = ROOMS[room_of(mutant.path)]
        caught = any(failure(checkout, tests) for tests in (near(checkout, mutant.path, groups), *groups))
    finally:
        target.write_text(source, "utf-8")
    return Judged(mutant=mutant, caught=caught, seconds=time.monotonic() - started)


def explained() -> dict[str, str]:
    """Key of a survivor that is known, and why it may live."""
    return {
        row["mutant"]: row["why"] for row in tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", [])
    }


def run(chosen: list[Mutant], workers: int) -> list[Judged]:
    with tempfile.TemporaryDirectory(prefix="hft-mutants-") as folder:
        free: Queue[Path] = Queue()
        for number in range(workers):
            free.put(copy_of_checkout(Path(folder) / str(number)))
        for room, groups in ROOMS.items():
            for tests in groups:
                if said := failure(Path(folder) / "0", tests):
                    raise SystemExit(f"mutants: the tests of {room} fail without a mutant:\n{said}")

        def one(mutant: Mutant) -> Judged:
            checkout = free.get()
            try:
                found = judge(checkout, mutant)
            finally:
                free.put(checkout)
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
