"""Every mutant of the alien engine fails exactly the clause it breaks and those that stand on it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.conformance.case import Case
from engine.contract.clauses import CLAUSES
from tests.integration.engine.conformance.mutation import failures, touching

# A clause that asks more of something stands on the clause that asks for it: without one there is no other.
STANDS_ON: dict[str, tuple[str, ...]] = {
    "kill.helper": ("kill.signal",),
    "latch.signal": ("kill.signal",),
    "kill.words": ("latch.to_syncing",),
    "kill.unanswered": ("kill.cancels",),
    "link.newest_epoch": ("link.claim",),
    "link.peer_dead": ("link.claim",),
    "link.replayed": ("risk.position",),
    "feed.collar": ("risk.collar",),
    "feed.progress": ("risk.stale_feed",),
    "feed.sources": ("risk.stale_feed",),
    "feed.ended": ("risk.gapped_feed",),
    "feed.pinned": ("feed.session",),
    "feed.new_day": ("feed.ended", "risk.collar"),
}


def brought_down(broken: str) -> set[str]:
    """What a mutant of that clause fails, no more and no less."""
    return {broken, *(above for above, below in STANDS_ON.items() if broken in below)}


# Some mutants are asked about in every case. What `make test` plays of those beside a mutant's own; `make
# drill-engine` plays them all.
OTHERS = 12
SEED = int(os.environ.get("HFT_SEED", "2026"))
HALVES = pytest.mark.parametrize("half", [0, 1], ids=["odd", "even"])  # so that two workers share it


def own(broken: str, cases: Sequence[Case]) -> list[Case]:
    """The cases that a mutant of that clause has to fail."""
    return [case for case in cases if case.clause in brought_down(broken)]


def some(broken: str, cases: Sequence[Case]) -> list[Case]:
    """Its own cases, and OTHERS of those that it must pass."""
    others = [case for case in cases if case not in own(broken, cases)]
    drawn = random.Random(f"{SEED} {broken}").sample(others, min(OTHERS, len(others)))
    return [*own(broken, cases), *drawn]


@pytest.mark.engine
@pytest.mark.timeout(1200)
@HALVES
def test_every_mutant_fails_its_clause_and_none_of_a_sample(half: int, tmp_path: Path) -> None:
    assert_exact(half, tmp_path, some)


@pytest.mark.drill
@pytest.mark.engine
@pytest.mark.timeout(3600)
@HALVES
def test_every_mutant_fails_exactly_its_clause(half: int, tmp_path: Path) -> None:
    assert_exact(half, tmp_path, lambda _, cases: list(cases))


def assert_exact(half: int, folder: Path, chosen: Callable[[str, Sequence[Case]], list[Case]]) -> None:
    touched = touching(folder)
    ids = [clause.id for clause in CLAUSES]
    untouched = [id_ for id_ in ids if id_ not in touched]
    assert not untouched, f"no case makes the engine ask about {untouched}"
    found = failures(folder, {id_: chosen(id_, touched[id_]) for id_ in ids[half::2]})
    wrong = {
        id_: sorted({result.clause for result in results})
        for id_, results in found.items()
        if {result.clause for result in results} != brought_down(id_)
    }
    details = [
        f"{id_}: {r.clause}/{r.case}: {r.sentence}"
        for id_ in wrong
        for r in found[id_]
        if r.clause not in brought_down(id_)
    ]
    assert not wrong, "\n".join([f"HFT_SEED={SEED} mutants that fail something else: {wrong}", *details])
