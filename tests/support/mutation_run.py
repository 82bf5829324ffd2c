"""`make mutants`: a seeded sample of wrong programs against the fast tests; survivors are listed with why.

Each worker has a copy of the checkout and writes one mutant into it; the tests that mutation_tests.py chooses
run, until one fails. Caught means that a test failed, or used far more of a CPU than without the mutant. What
was found is written down at once, below build/mutants: a run that was ended goes on there. Mutants are tried
in an order drawn by the seed, so that a run which is ended early has tried a sample, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from tests.support.checkout import ROOT, tracked
from tests.support.mutants import Mutant, caught_of, sample
from tests.support.mutation_tests import (
    CACHE,
    NO_TESTS,
    ROOMS,
    Trace,
    digest_of_checkout,
    digest_of_file,
    environment,
    failed_tests,
    room_of,
    stages,
    traced,
)

SURVIVORS = ROOT / "tests" / "drill" / "survivors.toml"
GOAL = 0.85
TIMEOUT_S = 1800  # of one try, on a machine that others keep busy
NOT_FOUND = 4  # pytest.ExitCode.USAGE_ERROR
OPTIONS = ("-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-rfE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of a mutant; `by` is the test that failed, or why it counts as caught; empty: it lives."""

    mutant: Mutant
    by: str
    seconds: float

    @property
    def caught(self) -> bool:
        return bool(self.by)


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What earlier runs found of these mutants: what holds still, and which test caught one before.

    That a test caught a mutant holds while that test's file is the same; that a mutant lived, in one state of
    the whole checkout.
    """

    digest: str
    here: dict[str, tuple[str, float]] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    one_writes: threading.Lock = field(default_factory=threading.Lock)

    @property
    def path(self) -> Path:
        return CACHE / "judged.jsonl"

    def state_of(self, by: str) -> str:
        file, _, test = by.partition("::")
        return digest_of_file(ROOT, file) if test else self.digest

    def read(self) -> Ledger:
        for line in self.path.read_text("utf-8").splitlines() if self.path.exists() else ():
            row = json.loads(line)
            if row["state"] == self.state_of(row["by"]):
                self.here[row["mutant"]] = (row["by"], float(row["seconds"]))
            elif "::" in row["by"]:
                self.before[row["mutant"]] = row["by"]
        return self

    def write(self, name: str, found: Judged) -> None:
        row = {"mutant": name, "by": found.by, "state": self.state_of(found.by)}
        row |= {"seconds": str(round(found.seconds, 1))}
        with self.one_writes, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def name_of(mutant: Mutant, source: str) -> str:
    """A mutant of one text of its module, whatever became of the rest of the checkout."""
    text = f"{mutant.path}\0{mutant.start}\0{mutant.end}\0{mutant.after}\0{source}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def sources() -> dict[str, str]:
    """Path below the root and text of every module of the rooms that are mutated."""
    names = (str(path.relative_to(ROOT)) for path in tracked())
    rooms = tuple(f"{one}/" for one in ROOMS)
    mine = (name for name in names if name.endswith(".py") and name.startswith(rooms))
    return {name: (ROOT / name).read_text("utf-8") for name in mine}


def copy_of_checkout(to: Path) -> Path:
    for path in tracked():
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (to / ".venv").symlink_to(ROOT / ".venv")
    return to


def failure(checkout: Path, tests: Sequence[str], cpu_s: int, left_out: Iterable[str] = ()) -> str:
    """The test that fails in that copy, or what else went wrong; empty for a pass, and without tests."""
    if not tests:
        return ""
    argv = ["prlimit", f"--cpu={cpu_s}", sys.executable, "-m", "pytest", *OPTIONS]
    argv += [*(f"--deselect={one}" for one in left_out), *tests]
    try:
        done = subprocess.run(
            argv,
            cwd=checkout,
            env=environment(checkout),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT_S} s"  # a mutant that never ends is seen
    files = list(dict.fromkeys(one.partition("::")[0] for one in tests))
    if done.returncode == NOT_FOUND and files != list(tests):  # the file cannot be read, or its names changed
        return failure(checkout, files, cpu_s + 300, left_out)
    if done.returncode in (0, NO_TESTS):
        return ""
    return next(iter(failed_tests(done.stdout)), f"exit {done.returncode} of pytest")


def judge(checkout: Path, mutant: Mutant, known: Trace, before: str | None = None) -> Judged:
    started = time.monotonic()
    target = checkout / mutant.path
    source, was = target.read_text("utf-8"), target.stat()
    try:
        target.write_text(mutant.of(source), "utf-8")
        forget_bytecode(target)
        by = ""
        for tests in stages(checkout, mutant, source, known, before):
            cpu_s = 60 + int(10 * sum(known.seconds.get(one, 30.0) for one in tests))
            by = by or failure(checkout, tests, cpu_s, known.failing)
    finally:
        target.write_text(source, "utf-8")
        os.utime(target, ns=(was.st_atime_ns, was.st_mtime_ns))
        forget_bytecode(target)
    return Judged(mutant=mutant, by=by, seconds=time.monotonic() - started)


def forget_bytecode(module: Path) -> None:
    """A mutant may have the age and the size of the one before it."""
    for one in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
        one.unlink()


def explained() -> dict[str, str]:
    """Key of a survivor that is known, and why it may live."""
    return {
        row["mutant"]: row["why"] for row in tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", [])
    }


def run(chosen: list[Mutant], texts: Mapping[str, str], workers: int) -> list[Judged]:
    ledger = Ledger(digest=digest_of_checkout()).read()
    with tempfile.TemporaryDirectory(prefix="hft-mutants-") as folder:
        copies = [copy_of_checkout(Path(folder) / str(number)) for number in range(workers)]
        known = traced(copies[0], dict.fromkeys(room_of(one.path) for one in chosen), workers)
        free: Queue[Path] = Queue()
        for checkout in copies:
            free.put(checkout)

        def one(mutant: Mutant) -> Judged:
            name = name_of(mutant, texts[mutant.path])
            if name in ledger.here:
                by, seconds = ledger.here[name]
                return tell(Judged(mutant=mutant, by=by, seconds=seconds))
            mine = free.get()
            try:
                found = judge(mine, mutant, known, ledger.before.get(name))
            finally:
                free.put(mine)
            ledger.write(name, found)
            return tell(found)

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, chosen))


def tell(found: Judged) -> Judged:
    word, mutant = "caught  " if found.caught else "SURVIVED", found.mutant
    print(f"{word} {found.seconds:5.1f} s  {mutant.path}:{mutant.line}  {mutant.key}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutation_run", description=__doc__)
    parser.add_argument("--count", type=int, default=160, help="how many mutants (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (default %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="copies that are tried at once"
    )
    parser.add_argument("--only", default="", help="only modules whose path begins with this")
    asked = parser.parse_args()
    texts = {path: text for path, text in sources().items() if path.startswith(asked.only)}
    chosen = sample(texts, asked.count, asked.seed)
    random.Random(asked.seed).shuffle(chosen)
    judged = run(chosen, texts, asked.workers)
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
