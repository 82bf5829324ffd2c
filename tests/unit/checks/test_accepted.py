"""An accepted window: compared with the same on the same only, and never silently worse."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from checks import store
from checks.accepted import CHECK, MICROCODE, Kept, Key, as_accepted, kept_of, key_of, per_second
from checks.baseline import Baseline
from checks.counters import Measurement, parse_measurement
from checks.effect import Assignment
from checks.errors import CheckError
from checks.facts import Facts
from checks.verdict import Verdict

DOCUMENT = json.loads(Path(__file__).with_name("tuned.meter.json").read_text())
ISOLATED = frozenset({2, 3})


@pytest.fixture
def key(tuned: Facts) -> Key:
    return key_of("lab-vm", "a" * 64, tuned)


@pytest.fixture
def kept(key: Key, measured: Measurement) -> Kept:
    return Kept(key=key, measurement=measured, at="2026-11-30T10:00:00Z", verdict="ok")


def disturbed(assignment: Assignment, row: str, count: int) -> Measurement:
    document = copy.deepcopy(DOCUMENT)
    next(one for one in document["interrupts"] if one["id"] == row)["delta"]["2"] = count
    return parse_measurement(json.dumps(document), assignment.load)


def test_the_same_window_is_as_accepted(
    measured: Measurement, kept: Kept, key: Key, lab_class: Baseline
) -> None:
    found = as_accepted(measured, key, kept, ISOLATED, lab_class)
    assert (found.check, found.verdict) == (CHECK, Verdict.OK)


@pytest.mark.parametrize("row", ["LOC", "CAL", "TLB", "NMI"])
def test_more_of_any_interrupt_is_worse_than_accepted(
    row: str, assignment: Assignment, kept: Kept, key: Key, lab_class: Baseline
) -> None:
    found = as_accepted(disturbed(assignment, row, 90_000), key, kept, ISOLATED, lab_class)
    assert found.reason == "worse_than_accepted"
    assert "when accepted" in found.message


def test_what_the_budgets_allow_is_not_worse(
    assignment: Assignment, kept: Kept, key: Key, lab_class: Baseline
) -> None:
    few = disturbed(assignment, "LOC", 5)
    assert as_accepted(few, key, kept, ISOLATED, lab_class).verdict is Verdict.OK


@pytest.mark.parametrize("name", [one.name for one in fields(Key)])
def test_with_any_part_of_the_key_changed_nothing_is_compared_and_it_is_said(
    name: str, assignment: Assignment, kept: Kept, key: Key, lab_class: Baseline
) -> None:
    other: Key = replace(key, **{name: "other"})
    found = as_accepted(disturbed(assignment, "LOC", 90_000), other, kept, ISOLATED, lab_class)
    assert (found.verdict, found.reason) == (Verdict.NOT_APPLICABLE, "no_baseline")
    assert f"another {name.replace('_', ' ')}" in found.message


def test_without_an_accepted_window_it_is_not_applicable(
    measured: Measurement, key: Key, lab_class: Baseline
) -> None:
    assert as_accepted(measured, key, None, ISOLATED, lab_class).reason == "no_baseline"
    assert per_second(measured, frozenset({77})) is None


def test_the_key_is_of_what_the_line_means(tuned: Facts, with_file: Callable[[str, str], Facts]) -> None:
    line, key = tuned.files["/proc/cmdline"].strip(), key_of("lab-vm", "a", tuned)
    same = with_file("/proc/cmdline", f"{line} hft.good=20261201T000000-00000000\n")
    assert key_of("lab-vm", "a", same) == key
    other = with_file("/proc/cmdline", f"{line} nosmt\n")
    assert key_of("lab-vm", "a", other).differs(key) == ("line",)
    patched = with_file(MICROCODE, "0x2b000603\n")
    assert key_of("lab-vm", "a", patched).differs(key) == ("microcode",)
    with pytest.raises(CheckError):
        files = {path: text for path, text in tuned.files.items() if path != "/proc/cmdline"}
        key_of("lab-vm", "a", replace(tuned, files=files))


def test_a_kept_window_comes_back_whole(kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HFT_STATE", str(tmp_path))
    store.save_window("site", "host", "accepted", replace(kept, by="ann", reason="twice"))
    back = store.load_window("site", "host", "accepted")
    assert back is not None and (back.by, back.reason, back.key) == ("ann", "twice", kept.key)
    assert per_second(back.measurement, ISOLATED) == per_second(kept.measurement, ISOLATED)
    assert store.load_window("site", "host", "tuned") is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"key": None},
        {"key": {"kernel": "x"}},
        {"measurement": {}},
        {"measurement": None},
        {"at": ...},
    ],
)
def test_what_is_no_window_is_refused(change: dict[str, Any], kept: Kept) -> None:
    document = {name: one for name, one in {**kept.document(), **change}.items() if one is not ...}
    with pytest.raises(CheckError):
        kept_of(document)
    with pytest.raises(CheckError):
        kept_of([document])
