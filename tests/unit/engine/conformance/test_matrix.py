"""Every mutant of the alien engine fails exactly the clause it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.contract.clauses import CLAUSES
from tests.unit.engine.conformance.mutation import failures, touching


@pytest.mark.engine
@pytest.mark.timeout(3600)
def test_every_mutant_fails_exactly_its_clause(tmp_path: Path) -> None:
    touched = touching(tmp_path)
    ids = [clause.id for clause in CLAUSES]
    untouched = [id_ for id_ in ids if id_ not in touched]
    assert not untouched, f"no case makes the engine ask about {untouched}"
    found = failures(tmp_path, {id_: touched[id_] for id_ in ids})
    wrong = {
        id_: sorted({result.clause for result in results}) for id_, results in found.items()
        if {result.clause for result in results} != {id_}
    }  # fmt: skip
    details = [
        f"{id_}: {r.clause}/{r.case}: {r.sentence}" for id_ in wrong for r in found[id_] if r.clause != id_
    ]
    assert not wrong, "\n".join([f"mutants that fail something else: {wrong}", *details])
