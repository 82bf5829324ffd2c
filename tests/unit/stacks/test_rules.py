"""The rules over cases and their violating twins: each twin breaks one rule, and that rule alone finds it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.core.facts import read_facts
from stacks.core.planned import SENTINEL, UNKNOWN, Planned
from stacks.core.rules import ENUMS, INSTANCE, KEY, VOLUME, judge_all, rules
from tests.cases.stacks.rule_cases import CASES, GOOD, PROTECTED, Case, changed, good

RULES = rules(read_facts())


def broken(planned: Planned) -> set[str]:
    return {verdict.rule for verdict in judge_all(RULES, [planned]) if verdict.outcome == "violated"}


def test_there_are_many_cases_and_some_of_every_rule() -> None:
    assert len(CASES) >= 60
    assert {case.rule for case in CASES} == {rule.id for rule in RULES}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_resource_of_each_type_keeps_every_rule(kind: str) -> None:
    assert judge_all(RULES, [good(kind, "good")]) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_twin_is_found_by_its_rule_alone(case: Case) -> None:
    assert broken(case.bad) == {case.rule}
    assert case.good is None or not broken(case.good)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_without_a_rule_its_cases_pass_unnoticed(rule: object) -> None:
    left = tuple(one for one in RULES if one is not rule)
    missed = [case for case in CASES if not judge_all(left, [case.bad])]
    assert missed


@pytest.mark.parametrize("unknown", [UNKNOWN, SENTINEL], ids=["marked", "as written in JSON"])
@pytest.mark.parametrize(
    ("kind", "path", "rule"),
    [
        (INSTANCE, "associatePublicIpAddress", "no-public-address"),
        (INSTANCE, "metadataOptions", "imdsv2-hop-1"),
        (INSTANCE, "rootBlockDevice/kmsKeyId", "encrypted-with-our-key"),
        (INSTANCE, "instanceType", "hardware-clock"),
        (INSTANCE, "tags", "tags"),
        (VOLUME, "kmsKeyId", "encrypted-with-our-key"),
        (VOLUME, "tags", "protected"),
        (KEY, "enableKeyRotation", "key-rotation"),
    ],
)
def test_what_is_not_known_is_undecided_and_no_pass(kind: str, path: str, rule: str, unknown: object) -> None:
    found = judge_all(RULES, [changed(good(kind, "one"), path, unknown)])
    assert {verdict.outcome for verdict in found} == {"undecided"}
    assert rule in {verdict.rule for verdict in found}


def test_an_unknown_beside_a_fault_hides_nothing() -> None:
    both = changed(changed(good(VOLUME, "one"), "encrypted", False), "kmsKeyId", UNKNOWN)
    found = {
        verdict.outcome for verdict in judge_all(RULES, [both]) if verdict.rule == "encrypted-with-our-key"
    }
    assert found == {"violated", "undecided"}


def test_a_volume_that_holds_no_journal_may_be_deleted_and_slow() -> None:
    scratch = replace(good(VOLUME, "scratch"), is_protected=False)
    scratch = changed(changed(scratch, "tags/hft:purpose", "scratch"), "type", "gp3")
    assert judge_all(RULES, [scratch]) == []


@given(word=st.text(max_size=12), which=st.sampled_from(sorted(ENUMS)))
def test_no_word_but_the_known_ones_passes_as_an_enumeration(word: str, which: tuple[str, str]) -> None:
    kind, path = which
    planned = changed(good(kind, "one"), path.replace(".", "/"), word)
    assert ("enum-values" in broken(planned)) == (word not in ENUMS[which])


def test_protect_is_asked_of_what_cannot_be_made_again() -> None:
    found = {case.bad.type for case in CASES if case.rule == "protected"}
    assert found == set(PROTECTED)
