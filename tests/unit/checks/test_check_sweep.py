"""Edits of a recorded host by the hundred: no wrong `ok`, and every `violated` is true."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from checks import next_boot as next_boot_module
from checks import topics
from checks.baseline import Baseline, baseline_of
from checks.counters import Measurement, parse_measurement
from checks.effect import assign, effect_findings
from checks.errors import CheckError
from checks.expected import Expected, committed, plan_findings
from checks.facts import Facts, parse_facts
from checks.settings import setting_findings
from checks.topics import topic_findings
from checks.verdict import Finding, Verdict, unverifiable, worst
from tests.support.edited_hosts import GOOD, STATES, Edit, Recorded, damages

SEED = 20261130


def judged(host: Recorded, baseline: Baseline) -> dict[str, Finding]:
    """Every finding of a host, as the suite makes them; an answer that cannot be read is one finding."""
    try:
        facts = parse_facts("\n".join(host.lines), "@mark")
        expected, record = committed(facts)
        if expected is None:
            return {record.check: record}
        found = [record, *plan_findings(expected, facts), *topic_findings(expected, facts, baseline)]
        found += setting_findings(expected, facts)
    except (CheckError, ValueError) as error:
        return {"facts": unverifiable("facts", "facts_cut", str(error))}
    try:
        how = assign(expected, facts, baseline, 20.0, drained=False)
        seen: Measurement | CheckError = parse_measurement(json.dumps(host.meter), how.load)
        found += effect_findings(how, seen, baseline, expected.isolated & facts.online)
    except CheckError as error:
        found.append(unverifiable("effect", "meter_failed", str(error)))
    return {one.check: one for one in found}


def violations(found: dict[str, Finding]) -> set[str]:
    """The checks that say violated."""
    return {check for check, one in found.items() if one.verdict is Verdict.VIOLATED}


@pytest.fixture(autouse=True)
def boot_is_judged_once_per_menu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walking GRUB's menu takes longer than everything else together; the same menu boots the same."""
    walked: dict[Any, Finding] = {}

    def next_boot(expected: Expected, facts: Facts) -> Finding:
        files = frozenset(
            item for item in facts.files.items() if item[0].startswith(("/boot/", "/etc/default/"))
        )
        mounts, unread = facts.files.get("/proc/self/mountinfo"), frozenset(facts.unreadable.items())
        there = (facts.boot, facts.absent, mounts, facts.highest, unread)
        key = (expected.plan_hash, files, *there)
        if key not in walked:
            walked[key] = next_boot_module.next_boot(expected, facts)
        return walked[key]

    monkeypatch.setattr(topics, "next_boot", next_boot)


def test_the_recorded_host_is_sound() -> None:
    assert worst(judged(GOOD, baseline_of("lab-vm")).values()) is Verdict.OK


def sweep_states(some: list[Edit], baseline: Baseline) -> None:
    seen = {one.name: worst(judged(one.change(GOOD), baseline).values()) for one in some}
    assert not {name for name, verdict in seen.items() if verdict is not Verdict.VIOLATED}


def sweep_damage(some: list[Edit], baseline: Baseline) -> None:
    wrong = []
    for one in some:
        found = judged(one.change(GOOD), baseline)
        if violations(found) or (one.needed and worst(found.values()) is Verdict.OK):
            wrong.append((one.name, [found[check].message for check in violations(found)]))
    assert not wrong, wrong


def sweep_both(some: list[tuple[Edit, Edit]], baseline: Baseline) -> None:
    wrong = []
    for state, harm in some:
        alone = state.change(GOOD)
        found = judged(harm.change(alone), baseline)
        more = violations(found) - violations(judged(alone, baseline))
        if worst(found.values()) is Verdict.OK or more:
            wrong.append((state.name, harm.name, [found[check].message for check in more]))
    assert not wrong, wrong


def pairs(dice: random.Random, harms: list[Edit], count: int) -> list[tuple[Edit, Edit]]:
    """Faults and damages at random; the fault comes first, where it leaves every row its number."""
    states = [one for one in STATES if len(one.change(GOOD).lines) == len(GOOD.lines)]
    return [(dice.choice(states), dice.choice(harms)) for _ in range(count)]


def test_every_false_state_is_violated(lab_class: Baseline) -> None:
    sweep_states(random.Random(SEED).sample(STATES, 180), lab_class)


def test_damage_to_an_answer_is_no_violation_and_hides_nothing(lab_class: Baseline) -> None:
    sweep_damage(list(damages(random.Random(SEED)))[:280], lab_class)


def test_a_fault_in_a_damaged_answer_is_never_ok(lab_class: Baseline) -> None:
    dice = random.Random(SEED)
    sweep_both(pairs(dice, list(damages(dice)), 40), lab_class)


@pytest.mark.drill
def test_all_of_them(lab_class: Baseline) -> None:
    dice = random.Random(SEED + 1)
    every = list(damages(dice))
    sweep_states(STATES, lab_class)
    sweep_damage(every, lab_class)
    sweep_both(pairs(dice, every, 2000), lab_class)
