"""Wrong engines that nobody thought of: each one of the list fails the clause that the list names for it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from engine.conformance.cases import ALL
from engine.contract.clauses import CLAUSES
from tests.support.engine.campaign import MODULES, Verdict, Wrong, drawn, judged, likely, listed, named

SEED = int(os.environ.get("HFT_SEED", "2026"))
SAMPLE = 4
FRESH = 30


def of_its_clause(wrong: Wrong, clause: str, folder: Path) -> Verdict:
    cases = [case for case in ALL if case.clause == clause]
    return judged(wrong, cases, folder, len(cases))


def test_list_names_clauses_and_argues_about_each_survivor() -> None:
    caught, survives = listed()
    assert caught
    assert not set(caught) & set(survives)
    assert set(caught.values()) <= {clause.id for clause in CLAUSES}
    assert {name.partition(".")[0] for name in (*caught, *survives)} <= set(MODULES)
    assert not [name for name, why in survives.items() if len(why.split()) < 4]


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_a_sample_of_the_list_fails_the_clause_it_is_listed_with(tmp_path: Path) -> None:
    caught, _ = listed()
    asked = random.Random(SEED).sample(sorted(caught), 3 * SAMPLE)
    wrong = named(asked)
    names = [name for name in asked if name in wrong][:SAMPLE]
    assert len(names) == SAMPLE, "the source changed: make the list anew (tests/support/engine/campaign.py)"
    seen = {
        name: of_its_clause(wrong[name], caught[name], tmp_path / str(number)).clause
        for number, name in enumerate(names)
    }
    assert seen == {name: caught[name] for name in names}, f"HFT_SEED={SEED}"


@pytest.mark.drill
@pytest.mark.engine
@pytest.mark.timeout(7200)
def test_every_one_of_the_list_is_caught_and_no_fresh_one_survives_unseen(tmp_path: Path) -> None:
    caught, survives = listed()
    wrong = named(sorted(caught))
    let_through = [
        name
        for number, (name, one) in enumerate(wrong.items())
        if not of_its_clause(one, caught[name], tmp_path / str(number)).clause
    ]
    assert not let_through
    fresh = [one for one in drawn(FRESH, SEED) if one.name not in survives]
    verdicts = [
        judged(one, likely(one, SEED), tmp_path / f"fresh-{number}", len(ALL))
        for number, one in enumerate(fresh)
    ]
    unseen = [verdict.wrong.name for verdict in verdicts if not verdict.clause]
    assert not unseen, f"HFT_SEED={SEED}: new clauses, or an argument in mutants.toml: {unseen}"
