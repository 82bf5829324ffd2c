"""Every mutant of the alien engine fails exactly the clause it breaks and those that stand on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.contract.clauses import CLAUSES
from tests.integration.engine.conformance.mutation import failures, touching

# A clause that asks more of something stands on the clause that asks for it: without one there is no other.
STANDS_ON = {
    "kill.helper": "kill.signal",
    "latch.signal": "kill.signal",
    "kill.words": "latch.to_syncing",
    "kill.unanswered": "kill.cancels",
    "link.newest_epoch": "link.claim",
    "link.replayed": "risk.position",
    "feed.collar": "risk.collar",
    "feed.progress": "risk.stale_feed",
    "feed.ended": "risk.gapped_feed",
}


def brought_down(broken: str) -> set[str]:
    """What a mutant of that clause fails, no more and no less."""
    return {broken, *(above for above, below in STANDS_ON.items() if below == broken)}


@pytest.mark.engine
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("half", [0, 1], ids=["odd", "even"])  # two tests, so that two workers share it
def test_every_mutant_fails_exactly_its_clause(half: int, tmp_path: Path) -> None:
    touched = touching(tmp_path)
    ids = [clause.id for clause in CLAUSES]
    untouched = [id_ for id_ in ids if id_ not in touched]
    assert not untouched, f"no case makes the engine ask about {untouched}"
    found = failures(tmp_path, {id_: touched[id_] for id_ in ids[half::2]})
    wrong = {
        id_: sorted({result.clause for result in results}) for id_, results in found.items()
        if {result.clause for result in results} != brought_down(id_)
    }  # fmt: skip
    details = [
        f"{id_}: {r.clause}/{r.case}: {r.sentence}"
        for id_ in wrong
        for r in found[id_]
        if r.clause not in brought_down(id_)
    ]
    assert not wrong, "\n".join([f"mutants that fail something else: {wrong}", *details])
