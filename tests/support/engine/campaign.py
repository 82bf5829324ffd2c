"""Small wrong engines made of the independent one, and the clause of the contract that catches each.

`python -m tests.support.engine.campaign --seed 1 --count 90` draws mutants (tests/support/mutants.py), plays
the conformance cases against each until one fails, alone and again, and prints one line of TOML for each. The
list is tests/integration/engine/conformance/mutants.toml; what survives is a new clause or is argued equal.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.conformance.artifact import read
from engine.conformance.case import Case
from engine.conformance.cases import ALL
from engine.conformance.suite import Options, Result, play
from engine.independent.package import write
from tests.support.checkout import ROOT
from tests.support.mutants import Mutant, mutants

STUB = ROOT / "engine" / "independent"
LIST = ROOT / "tests" / "integration" / "engine" / "conformance" / "mutants.toml"
# What decides, remembers and speaks; the rest is packing, text and the faults that the suite itself plants.
MODULES = (
    "admin", "book", "core", "engine", "feed", "gateway", "journal", "latch", "limits", "orders", "page",
    "risk", "verbs", "wire",
)  # fmt: skip
JOBS = 4
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One wrong engine: its name outlives edits elsewhere in its module."""

    name: str
    function: str
    mutant: Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The clause that catches a wrong engine; none when every case that was played passed."""

    wrong: Wrong
    clause: str
    sentence: str
    played: int


def population() -> list[Wrong]:
    """Every wrong engine that can be made, in the order of modules and lines."""
    return [wrong for module in MODULES for wrong in _of_module(module)]


def _of_module(module: str) -> Iterator[Wrong]:
    source = (STUB / f"{module}.py").read_text()
    lines, seen = source.splitlines(), dict[str, int]()
    functions = _functions(source)
    for mutant in mutants(f"{module}.py", source):
        # Where the suite plants faults of its own, a change may only switch one of them on.
        if "broken(" in lines[mutant.line - 1] or "__name__" in lines[mutant.line - 1]:
            continue
        function = functions.get(mutant.line, "")
        before, after = " ".join(mutant.before.split()), " ".join(mutant.after.split())
        name = f"{module}.{function}: {mutant.kind}: {before} -> {after}"
        seen[name] = seen.get(name, 0) + 1
        yield Wrong(name=f"{name} #{seen[name]}", function=function, mutant=mutant)


def _functions(source: str) -> dict[int, str]:
    """Line to the innermost function it stands in."""
    found: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            found |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node.name)
    return found


def drawn(count: int, seed: int) -> list[Wrong]:
    """COUNT of them, the same for the same seed and sources."""
    every = population()
    return random.Random(seed).sample(every, min(count, len(every)))


def named(names: Sequence[str]) -> dict[str, Wrong]:
    """Those of these names that the present sources still make."""
    modules = sorted({name.partition(".")[0] for name in names})
    return {wrong.name: wrong for module in modules for wrong in _of_module(module) if wrong.name in names}


def likely(wrong: Wrong, seed: int) -> list[Case]:
    """All cases: those of clauses that the engine asks about near the change first, the others by chance."""
    source = (STUB / wrong.mutant.path).read_text()
    functions = _functions(source)
    near: dict[str, int] = {}
    for number, line in enumerate(source.splitlines(), 1):
        for clause in re.findall(r'broken\("([a-z_.]+)"\)|"(risk\.[a-z_]+)": _', line):
            distance = 0 if functions.get(number) == wrong.function else 1
            id_ = clause[0] or clause[1]
            near[id_] = min(near.get(id_, distance), distance)
    cases = list(ALL)
    random.Random(f"{seed} {wrong.name}").shuffle(cases)
    return sorted(cases, key=lambda case: near.get(case.clause, 2))


def made(wrong: Wrong, directory: Path) -> Path:
    """Its artifact."""
    source = wrong.mutant.of((STUB / wrong.mutant.path).read_text())
    return write(directory, changed={wrong.mutant.path: source.encode()})


def judged(wrong: Wrong, cases: Sequence[Case], directory: Path, most: int) -> Verdict:
    """Plays at most MOST cases until one fails, alone and again: a busy machine makes an engine late once."""
    artifact = read(made(wrong, directory))
    played = 0
    for first in range(0, min(most, len(cases)), JOBS):
        batch = cases[first : min(first + JOBS, most)]
        results = play(artifact, batch, Options(jobs=JOBS, patience_s=PATIENCE_S), lambda _: None)
        played += len(batch)
        for failed in (result for result in results if not result.passed):
            again = _alone(directory, failed, batch)
            if not again.passed:
                return Verdict(wrong=wrong, clause=again.clause, sentence=again.sentence, played=played)
    return Verdict(wrong=wrong, clause="", sentence="", played=played)


def _alone(directory: Path, failed: Result, cases: Sequence[Case]) -> Result:
    case = next(one for one in cases if (one.clause, one.name) == (failed.clause, failed.case))
    options = Options(jobs=1, patience_s=PATIENCE_S)
    return play(read(directory), [case], options, lambda _: None)[0]


def listed() -> tuple[dict[str, str], dict[str, str]]:
    """The list: name to clause of those that are caught, name to argument of those that are not."""
    document = tomllib.loads(LIST.read_text())
    return dict(document["caught"]), dict(document.get("survives", {}))


def main() -> None:
    """One campaign; a line for each wrong engine as soon as it is judged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=90)
    parser.add_argument("--most", type=int, default=len(ALL), help="cases for each")
    options = parser.parse_args()
    for wrong in drawn(options.count, options.seed):
        with tempfile.TemporaryDirectory(prefix="hft-wrong-") as folder:
            verdict = judged(wrong, likely(wrong, options.seed), Path(folder), options.most)
        quoted = wrong.name.replace("\\", "\\\\").replace('"', '\\"')
        told = verdict.clause or f"SURVIVES {verdict.played} cases"
        print(f'"{quoted}" = "{told}"  # line {wrong.mutant.line}: {verdict.sentence[:90]}', flush=True)


if __name__ == "__main__":
    main()
