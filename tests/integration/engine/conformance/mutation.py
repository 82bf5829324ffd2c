"""The matrix of mutants and cases, without the squares that cannot differ.

A mutant is the good engine until its one question `broken(CLAUSE)` is asked. So the good engine notes,
case by case,
which questions were asked (engine/independent/mutants.py), and a mutant plays the cases that asked its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from engine.conformance.artifact import read
from engine.conformance.bench import Bench
from engine.conformance.case import Case
from engine.conformance.cases import ALL
from engine.conformance.suite import Options, Result, play, second_look
from engine.independent.package import write

MUTANTS_AT_ONCE = 2
CASES_AT_ONCE = 3


def touching(directory: Path) -> dict[str, list[Case]]:
    """Clause to the cases in which its question is asked; the good engine must pass them all on the way."""
    notes = directory / "asked"
    notes.mkdir()
    names: dict[int, str] = {}

    def noting(number: int, case: Case) -> Case:
        def scene(bench: Bench) -> None:
            names[number] = bench.directory.name
            case.play(bench)

        return replace(case, play=scene)

    os.environ["STUB_ASKED"] = str(notes)
    try:
        options = Options(jobs=MUTANTS_AT_ONCE * CASES_AT_ONCE)
        watched = [noting(number, case) for number, case in enumerate(ALL)]
        good = read(write(directory / "good"))
        beside = play(good, watched, options, lambda _: None)
        results = second_look(good, watched, beside, options, lambda _: None)
    finally:
        del os.environ["STUB_ASKED"]
    failed = [f"{result.case}: {result.sentence}" for result in results if not result.passed]
    assert not failed, f"the good engine fails: {failed}"
    found: dict[str, list[Case]] = {}
    for number, case in enumerate(ALL):
        path = notes / names[number]
        for clause in path.read_text().split() if path.exists() else ():
            cases = found.setdefault(clause, [])
            if case not in cases:
                cases.append(case)
    return found


def failures(directory: Path, cases: Mapping[str, Sequence[Case]]) -> dict[str, list[Result]]:
    """Clause to what its mutant failed; what it failed of other clauses it must fail again when it is alone.

    A mutant breaks its clause every time. A busy machine makes it late once.
    """

    def beside(clause: str) -> list[Result]:
        return play(mutants[clause], cases[clause], options, lambda _: None)

    options = Options(jobs=CASES_AT_ONCE)
    mutants = {clause: read(write(directory / clause, clause)) for clause in cases}
    with ThreadPoolExecutor(MUTANTS_AT_ONCE) as pool:
        found = dict(zip(cases, pool.map(beside, cases), strict=True))
    for clause, results in found.items():
        others = [case for case in cases[clause] if case.clause != clause]
        looked = second_look(mutants[clause], others, results, options, lambda _: None)
        found[clause] = [result for result in looked if not result.passed]
    return found
