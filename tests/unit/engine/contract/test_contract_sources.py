"""The contract as one source of truth: page, schemas, clauses, cases and mutants cannot drift apart."""

from __future__ import annotations

import json
import re

import pytest

from engine.conformance.cases import ALL
from engine.contract import refusals, states
from engine.contract.__main__ import main, outdated
from engine.contract.clauses import CLAUSES, clauses_of
from engine.contract.levels import Level
from engine.contract.process import EXIT_MEANING, ExitCode
from engine.contract.states import State
from tests.support.checkout import ROOT

STUB = ROOT / "engine" / "independent"
IDS = [clause.id for clause in CLAUSES]


def test_page_and_schemas_are_current() -> None:
    old = [str(path.relative_to(ROOT)) for path in outdated()]
    assert not old, f"run `python -m engine.contract --write`: {old}"


def test_out_of_date_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.contract.__main__.page", lambda: "something else")
    assert main([]) == 1


def test_command_line_of_the_generator_refuses_anything_else() -> None:
    assert main(["--wirte"]) == 2


def test_no_schema_file_is_left_over() -> None:
    from engine.contract.schemas import DIRECTORY, schema_texts

    assert {path.name for path in DIRECTORY.iterdir()} == set(schema_texts())


def test_clause_ids_are_unique_and_in_form() -> None:
    assert len(set(IDS)) == len(IDS)
    assert not [id_ for id_ in IDS if not re.fullmatch(r"[a-z]+\.[a-z_]+", id_)]


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_clause_is_one_sentence_with_a_reason_a_case_and_a_mutant(clause: object) -> None:
    from engine.contract.clause import Clause

    assert isinstance(clause, Clause)
    assert clause.must.endswith(".")
    assert clause.why
    playable = [case for case in ALL if case.clause == clause.id and case.level is clause.level]
    assert playable, f"{clause.id} has no case that an engine of level {clause.level} plays"
    assert clause.id in mutants(), f"no `broken({clause.id!r})` in engine/independent"


def test_no_case_and_no_mutant_without_a_clause() -> None:
    assert {case.clause for case in ALL} <= set(IDS)
    assert mutants() <= set(IDS)


def mutants() -> set[str]:
    """Every clause that the stub can break; the risk checks ask by the code they are listed under."""
    found: set[str] = set()
    for path in STUB.glob("*.py"):
        text = path.read_text()
        found |= set(re.findall(r'broken\("([a-z_.]+)"\)', text))
        if path.name == "risk.py":
            assert "not broken(code)" in text
            found |= set(re.findall(r'"(risk\.[a-z_]+)": _', text))
    return found - {"clause.id"}


def test_levels_include_the_ones_below() -> None:
    core, trading = clauses_of(Level.CORE), clauses_of(Level.TRADING)
    assert 0 < len(core) < len(trading) == len(CLAUSES)
    assert set(core) < set(trading)


def test_edges_are_those_that_were_decided() -> None:
    live = {State.INIT, State.SYNCING, State.STANDBY, State.ACTIVE, State.REDUCING}
    decided = {
        (State.INIT, State.SYNCING), (State.SYNCING, State.STANDBY), (State.STANDBY, State.SYNCING),
        (State.STANDBY, State.ACTIVE), (State.ACTIVE, State.REDUCING), (State.REDUCING, State.ACTIVE),
        (State.ACTIVE, State.STANDBY), (State.REDUCING, State.STANDBY), (State.HALTED, State.SYNCING),
        (State.DRAINING, State.STOPPED), (State.HALTED, State.DRAINING), (State.DRAINING, State.HALTED),
        *((state, State.HALTED) for state in live), *((state, State.DRAINING) for state in live),
    }  # fmt: skip
    assert {(edge.source, edge.target) for edge in states.EDGES} == decided


def test_nothing_but_a_promote_or_a_person_leads_to_active() -> None:
    into = [edge for edge in states.EDGES if edge.target is State.ACTIVE]
    assert {(edge.source, edge.triggers) for edge in into} == {
        (State.STANDBY, ("promote",)),
        (State.REDUCING, ("resume",)),
    }


def test_legal_and_illegal_edges_cover_every_pair_once() -> None:
    legal = {(edge.source, edge.target) for edge in states.EDGES}
    illegal = set(states.illegal_edges())
    assert not legal & illegal
    assert len(legal) + len(illegal) == len(State) * (len(State) - 1)


def test_every_exit_code_has_a_meaning() -> None:
    assert set(EXIT_MEANING) == set(ExitCode)
    assert {int(code) for code in ExitCode} == {0, 64, 69, 70, 75}


def test_every_risk_code_is_a_clause() -> None:
    assert set(refusals.RISK) == {id_ for id_ in IDS if id_.startswith("risk.")}


def test_page_names_every_clause_verb_and_field() -> None:
    text = (ROOT / "docs" / "engine-contract.md").read_text()
    schema = json.loads((ROOT / "engine/contract/schemas/config.schema.json").read_text())
    wanted = [*IDS, *refusals.ADMIN, *refusals.RISK, *schema["properties"], *states.ASKED, "intent", "stall"]
    assert not [word for word in wanted if f"`{word}`" not in text]
